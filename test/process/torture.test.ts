import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const program = (name: string) => fileURLToPath(new URL(`../../build/test/torture/${name}.js`, import.meta.url));

test('processes and the server are killed at random: what was acknowledged is in the log exactly once, and nobody needs help', {
  timeout: 240_000,
}, async () => {
  // The short form of `npm run torture`.
  const flags = ['--processes', '6', '--seconds', '6', '--server-kills', '2', '--kill-every-ms', '1000'];

  const { stdout } = await promisify(execFile)(process.execPath, [program('main'), ...flags]).catch((error) => error);

  expect(stdout).not.toContain('WRONG');
  expect(JSON.parse(stdout)).toMatchObject({ processes: 6, server_kills: 2, wrong: 0 });
});

test('runners are killed at random: every command ends once for each agent, and the most urgent comes first', {
  timeout: 240_000,
}, async () => {
  // The short form of `npm run torture:commands`.
  const flags = ['--runners', '3', '--senders', '2', '--commands', '24', '--kill-every-ms', '2000', '--seconds', '120'];

  const { stdout } = await promisify(execFile)(process.execPath, [program('commands'), ...flags]).catch(
    (error) => error,
  );

  expect(stdout).not.toContain('WRONG');
  expect(JSON.parse(stdout)).toMatchObject({ commands: 24, wrong: 0 });
});
