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
    ['DATABASE_URL', { url }],
    ['SUPABASE_SECRET_KEY', { url }],
  ])('has no %s, and all else', (name, options) => {
    vi.stubEnv(name, 'a secret');
    vi.stubEnv('EDITOR', 'ed');

    const env = agentEnvironment('heron', options);

    expect(env).not.toHaveProperty(name);
    expect(env).toMatchObject({ EDITOR: 'ed', CAIRN_AGENT: 'heron' });
  });

  test('has what its own Cairn reaches the same database with', () => {
    vi.stubEnv('DATABASE_URL', 'postgres://db.example.com/cairn');

    expect(agentEnvironment('heron', {})).toMatchObject({ DATABASE_URL: 'postgres://db.example.com/cairn' });
  });
});
