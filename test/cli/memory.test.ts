import { fileURLToPath } from 'node:url';
import { spawn } from '@lydell/node-pty';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import { openPersonWorld, type PersonWorld } from '../support/person-world.ts';

let world: PersonWorld;

beforeAll(async () => {
  world = await openPersonWorld();
});

afterAll(() => world?.close());

/** What the program prints at a person's terminal. */
function typed(args: string[], env: Record<string, string> = {}): Promise<{ code: number; text: string }> {
  const cli = fileURLToPath(new URL('dist/cli.js', PACKAGE_ROOT));
  const terminal = spawn(process.execPath, [cli, ...world.flags, ...args], {
    ...{ cols: 120, rows: 40, cwd: world.repository },
    env: { PATH: process.env.PATH ?? '', HOME: world.home, ...env },
  });
  let text = '';
  terminal.onData((data) => {
    text += data;
  });
  return new Promise((resolve) => terminal.onExit(({ exitCode }) => resolve({ code: exitCode, text })));
}

async function remember(key: string, text: string): Promise<string> {
  const { data } = await world.agent.call('remember', { key, text, project: 'web' });
  return String(data.id).slice(-8);
}

describe('memory', () => {
  test('is listed, and shown with what it superseded', async () => {
    expect((await world.run(['memory'])).stdout).toMatch(/^Nothing is remembered\. Agents note it with `remember`/);
    await remember('port', '8080');
    const id = await remember('port', '8443');

    expect((await world.run(['memory'])).stdout).toMatch(
      /^MEMORY +FOR +KIND +KEY +TEXT +STATE +BY +NOTED\n\w{8} +web +fact +port +8443 +noted +ada +now\n$/,
    );
    expect((await world.run(['memory', 'list', '--all'])).stdout).toMatch(/8080 +superseded/);
    const { stdout } = await world.run(['memory', 'show', id]);
    expect(stdout).toMatch(/^port {2}fact\n {2}8443\nnoted +by ada, now\n/);
    expect(stdout).toContain('  8080\n');
    expect((await world.json('memory', 'show', id)).memories).toMatchObject([{ text: '8443' }, { text: '8080' }]);
  });

  test('is decided at a terminal by a person alone', async () => {
    await world.agent.call('update_project', { project: 'web', rules: { memory: { approval: true } } });
    const id = await remember('deploy', 'On Fridays.');
    expect((await world.run(['memory', 'list', '--proposed'])).stdout).toMatch(
      /waits for you.*\n.*cairn memory approve ID/,
    );

    expect((await world.run(['--project', 'web', 'status'])).stdout).toMatch(
      /Needs you\n(.*\n)*memory \w{8} +ada +deploy: On Fridays\.\n.*cairn memory approve ID/,
    );

    const piped = await world.run(['memory', 'approve', id]);
    expect(piped).toMatchObject({ code: 1, stderr: expect.stringContaining('decided by a person at a terminal') });
    const agent = await typed(['memory', 'approve', id], { CAIRN_AGENT: 'ada' });
    expect(agent).toMatchObject({ code: 1, text: expect.stringContaining('decided by a person at a terminal') });

    expect(await typed(['memory', 'approve', id])).toMatchObject({
      code: 0,
      text: expect.stringContaining('approved'),
    });
    expect((await world.agent.call('recall', { key: 'deploy' })).text).toContain('approved by');
    expect(await typed(['memory', 'forget', id])).toMatchObject({ code: 0 });
    expect((await world.agent.call('recall', { key: 'deploy', project: 'web' })).text).toContain(
      'Nothing is remembered',
    );
    expect(await typed(['memory', 'forget', '00000000'])).toMatchObject({
      code: 1,
      text: expect.stringContaining('cairn memory list --all'),
    });
  });
});
