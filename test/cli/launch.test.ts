import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hookCommand, serverCommand } from '../../src/clients/launch.ts';
import type { Config, Host } from '../../src/config.ts';

describe('a line for a shell', () => {
  const cli = '/opt/cairn/dist/cli.js';
  const linux: Host = { platform: 'linux', home: '/home/ada', env: {} };
  const windows: Host = { ...linux, platform: 'win32' };
  const odd = [
    '$(touch RAN)',
    '`touch RAN`',
    "it's",
    'a"b',
    'a\\b',
    'a b;touch RAN',
    '*',
    '~',
    '!x',
    '%PATH%',
    'a\nb',
    '&',
  ];

  test.skipIf(process.platform === 'win32').each(odd)('hands on the directory %j as it is', async (dataDir) => {
    const line = hookCommand(['stop'], { dataDir }, { cli, host: linux }).replace(/^node /, "printf '%s\\0' ");

    const words = execFileSync('sh', ['-c', line], { encoding: 'utf8' }).split('\0').slice(0, -1);

    expect(words).toEqual([cli, '--data-dir', dataDir, 'hook', 'stop']);
  });

  test('on Windows is refused where a shell would take a part of it for its own', () => {
    for (const dataDir of ['D:\\%PATH%', 'D:\\a$b', 'D:\\a`b', 'D:\\a!b', 'D:\\a^b', 'D:\\a“b']) {
      const attempt = () => hookCommand(['stop'], { dataDir }, { cli, host: windows });

      expect(attempt).toThrow(expect.objectContaining({ code: 'invalid_input' }));
    }
    expect(hookCommand(['stop'], { dataDir: 'D:\\a & b' }, { cli, host: windows })).toContain('--data-dir "D:/a & b"');
  });

  test('on Windows is not started through cmd with what cmd takes for its own', () => {
    const installed = { cli: 'C:\\node_modules\\cairn-mcp\\dist\\cli.js', host: windows, shared: false };

    expect(() => serverCommand({ dataDir: 'D:\\a&calc' }, installed)).toThrow(
      expect.objectContaining({ code: 'invalid_input' }),
    );
  });
});

test('a file for everyone passes the variable of the data directory on and says no path', () => {
  const dataDir = resolve('/somewhere/cairn');
  const host: Host = { platform: 'linux', home: '/home/ada', env: { CAIRN_DATA_DIR: dataDir } };
  const launch = { cli: '/opt/cairn/dist/cli.js', host };

  expect(serverCommand({ dataDir } as Config, { ...launch, shared: true })).toMatchObject({
    args: ['/opt/cairn/dist/cli.js'],
    passes: ['CAIRN_DATA_DIR'],
  });
  expect(serverCommand({ dataDir } as Config, { ...launch, shared: false }).args).toContain(dataDir);
});
