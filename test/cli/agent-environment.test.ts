import { afterEach, describe, expect, test, vi } from 'vitest';
import { agentEnvironment } from '../../src/cli/runner/open-port.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the environment of an agent', () => {
  test.each(['CAIRN_TOKEN', 'DATABASE_URL', 'SUPABASE_SECRET_KEY'])('has no %s, and all else', (name) => {
    vi.stubEnv(name, 'a secret');
    vi.stubEnv('EDITOR', 'ed');

    const env = agentEnvironment('heron');

    expect(env).not.toHaveProperty(name);
    expect(env).toMatchObject({ EDITOR: 'ed', CAIRN_AGENT: 'heron' });
  });
});
