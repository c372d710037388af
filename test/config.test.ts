import { describe, expect, test } from 'vitest';
import { readConfig } from '../src/config.ts';

describe('the configuration', () => {
  test('has defaults for everything', () => {
    expect(readConfig({}, { XDG_DATA_HOME: '/data', LOCALAPPDATA: '/data' })).toEqual({
      dataDir: expect.stringMatching(/cairn$/),
      toolsets: ['default'],
      readOnly: false,
      logLevel: 'info',
    });
  });

  test('takes a flag before its environment variable', () => {
    const env = { CAIRN_AGENT: 'bob', CAIRN_PROJECT: 'web', CAIRN_READ_ONLY: '1', CAIRN_TOOLSETS: 'tasks, events' };

    const config = readConfig({ agent: 'ada' }, env);

    expect(config).toMatchObject({ agent: 'ada', project: 'web', readOnly: true, toolsets: ['tasks', 'events'] });
  });

  test('names the flag and the variable of a value that is not valid', () => {
    expect(() => readConfig({}, { DATABASE_URL: 'mysql://x' })).toThrowError(
      expect.objectContaining({
        code: 'invalid_input',
        message: expect.stringContaining('--database-url'),
        hint: expect.stringContaining('DATABASE_URL'),
      }),
    );
  });
});
