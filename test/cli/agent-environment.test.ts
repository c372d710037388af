import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { agentEnvironment } from '../../src/cli/runner/open-port.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the environment of an agent', () => {
  const url = 'https://cairn.example.com';

  test.each([
    ['CAIRN_TOKEN', {}],
    ['CAIRN_METRICS_TOKEN', {}],
    ['CAIRN_LOGIN_SUPABASE_KEY', {}],
    ['CAIRN_OIDC_PROVIDERS', {}],
    ['DATABASE_URL', { url }],
    ['SUPABASE_SECRET_KEY', { url }],
  ])('has no %s, and all else', (name, options) => {
    vi.stubEnv(name, 'a secret');
    vi.stubEnv('EDITOR', 'ed');

    const env = agentEnvironment('heron', options);

    expect(env).not.toHaveProperty(name);
    expect(env).toMatchObject({ EDITOR: 'ed', CAIRN_AGENT: 'heron' });
  });

  test('has no setting that is named like a secret but what is public', async () => {
    const source = await readFile(new URL('../../src/config.ts', import.meta.url), 'utf8');
    const settings = source.slice(source.indexOf('const VARIABLES'), source.indexOf('export function readConfig'));
    const named = settings.match(/\b[A-Z][A-Z_]*(?:SECRET|KEY|TOKEN|PASSWORD|PROVIDERS|DATABASE)(?:_[A-Z]+)?\b/g) ?? [];
    for (const name of named) vi.stubEnv(name, 'a secret');

    const env = agentEnvironment('heron', { url });

    expect(named).toContain('CAIRN_OIDC_PROVIDERS');
    expect(named.filter((name) => name in env)).toEqual([
      'SUPABASE_PUBLISHABLE_KEY',
      'CAIRN_ACCESS_TOKEN_SECONDS',
      'CAIRN_REFRESH_TOKEN_DAYS',
    ]);
  });

  test('has what its own Cairn reaches the same database with', () => {
    vi.stubEnv('DATABASE_URL', 'postgres://db.example.com/cairn');

    expect(agentEnvironment('heron', {})).toMatchObject({ DATABASE_URL: 'postgres://db.example.com/cairn' });
  });
});
