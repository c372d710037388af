import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../build/test/torture/main.js', import.meta.url));

test('processes and the server are killed at random: what was acknowledged is in the log exactly once, and nobody needs help', {
  timeout: 240_000,
}, async () => {
  // The short form of `npm run torture`.
  const flags = ['--processes', '6', '--seconds', '6', '--server-kills', '2', '--kill-every-ms', '1000'];

  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...flags]).catch((error) => error);

  expect(stdout).not.toContain('WRONG');
  expect(JSON.parse(stdout)).toMatchObject({ processes: 6, server_kills: 2, wrong: 0 });
});
