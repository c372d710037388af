import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { realpath, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type AgentWorld, openAgentWorld } from '../support/agent-world.ts';
import { cairn, startCairn } from '../support/cairn.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const TERMINAL = fileURLToPath(new URL('../runner/stand-ins/pty.mjs', import.meta.url));

let world: AgentWorld;

beforeAll(async () => {
  world = await openAgentWorld();
});

afterAll(() => world?.close());

afterEach(() => world.clear());

const isThere = async (name: string) =>
  (await world.json('agents')).agents.some((agent: { name: string }) => agent.name === name);

describe('cairn agent run', () => {
  test('takes a terminal that is still for as long as --quiet says for done', { timeout: 60_000 }, async () => {
    const drive = ['agent', 'run', '--name', 'heron', '--driver', 'pty', '--quiet', '1s'];
    const runner = startCairn([...world.flags, ...drive, '--', process.execPath, TERMINAL]);
    await vi.waitUntil(() => isThere('heron'), { timeout: 30_000, interval: 200 });

    const sent = await cairn([...world.flags, 'send', 'Hello.', '--to', 'heron', '--wait'], { cwd: world.repository });
    runner.process.kill('SIGTERM');
    await runner.exited;

    expect(sent.stdout).toMatch(/heron: completed/);
    const [{ id }] = (await world.json('runs', '--agent', 'heron')).runs;
    const { delivered_at, ended_at } = await world.json('runs', 'show', id);
    const stillMs = Date.parse(ended_at) - Date.parse(delivered_at);
    expect(stillMs).toBeGreaterThan(900);
    // Without it, it is five seconds.
    expect(stillMs).toBeLessThan(4_500);
  });
});

describe('cairn agent install', () => {
  test.skipIf(process.platform === 'win32')('shows what it would write, and writes nothing unasked', async () => {
    const shown = await cairn(
      [...world.flags, 'agent', 'install', '--name', 'heron', '--quiet', '2s', '--', process.execPath],
      {
        cwd: world.repository,
        env: { HOME: world.home, DATABASE_URL: '', SUPABASE_URL: '' },
      },
    );

    expect(shown).toMatchObject({ code: 2, stderr: expect.stringContaining('Say --yes.') });
    const [path = ''] = shown.stdout.split(':\n');
    expect(path.startsWith(join(world.home, '/'))).toBe(true);
    expect(shown.stdout).toMatch(/agent.+run.+--quiet.+2s.+--.+node/s);
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe.skipIf(process.platform === 'win32')('the program of an agent', () => {
  test.for([
    ['none-such-agent', 'There is no program none-such-agent on the PATH.'],
    ['./none.sh', 'There is no program ./none.sh here.'],
    ['./', './ is no program that can be started.'],
  ])('that cannot be started is refused before all else: %s', async ([program = '', why = '']) => {
    for (const verb of ['run', 'install']) {
      const words = [...world.flags, 'agent', verb, '--name', 'heron', '--', program];

      const ran = await cairn(words, {
        cwd: world.home,
        env: { HOME: world.home, DATABASE_URL: '', SUPABASE_URL: '' },
      });

      expect(ran).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(why) });
    }
  });

  test('is that of the folder of the runner, also where it works in another', { timeout: 60_000 }, async () => {
    await writeFile(join(world.home, 'agent.sh'), '#!/bin/sh\nread -r text; pwd\n', { mode: 0o755 });
    const args = ['--name', 'stork', '--workspace', world.repository, '--', './agent.sh'];
    const words = [CLI, ...world.flags, 'agent', 'run', ...args];
    const runner = spawn(process.execPath, words, { cwd: world.home, stdio: 'ignore' });
    const exited = once(runner, 'exit');
    await vi.waitUntil(() => isThere('stork'), { timeout: 30_000, interval: 200 });

    await world.run(['send', 'Where?', '--to', 'stork', '--wait']);
    runner.kill('SIGTERM');
    await exited;

    expect(await world.json('runs', '--agent', 'stork')).toMatchObject({
      runs: [{ status: 'completed', result: await realpath(world.repository) }],
    });
  });
});

describe('cairn agent run --at-once', () => {
  test('does as many runs at once as it says, and the next one after them', { timeout: 60_000 }, async () => {
    const program = 'setTimeout(() => {}, 4000)';
    const words = ['agent', 'run', '--name', 'teal', '--driver', 'pipe', '--at-once', '2'];
    const runner = startCairn([...world.flags, ...words, '--', process.execPath, '-e', program]);
    await vi.waitUntil(() => isThere('teal'), { timeout: 30_000, interval: 200 });

    for (const text of ['One.', 'Two.', 'Three.']) await world.run(['send', text, '--to', 'teal']);
    const runs = async () => (await world.json('runs', '--agent', 'teal')).runs.map(({ status }: never) => status);

    await vi.waitUntil(async () => (await runs()).filter((status: string) => status === 'running').length === 2, {
      ...{ timeout: 20_000, interval: 100 },
    });
    expect(await runs()).toContain('queued');
    await vi.waitUntil(async () => (await runs()).every((status: string) => status === 'completed'), {
      ...{ timeout: 20_000, interval: 300 },
    });
    runner.process.kill('SIGTERM');
    await runner.exited;
  });

  test.for([
    [['--driver', 'claude', '--at-once', '2'], 'With the driver claude an agent has one process'],
    [['--driver', 'pipe', '--at-once', '99'], 'Say a smaller --at-once'],
    [['--driver', 'pipe', '--at-once', '0'], 'It must be a number from 1 to 99.'],
  ] as const)('is refused where it is %j', async ([given, why]) => {
    const ran = await cairn([...world.flags, 'agent', 'run', '--name', 'teal', ...given, '--', process.execPath]);

    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toContain(why);
  });

  test.for([
    [['--driver', 'claude', '--at-once', '2'], 'With the driver claude an agent has one process'],
    [['--driver', 'pipe', '--at-once', '9'], 'Say a smaller --at-once'],
  ] as const)('is refused for a service, and not only when that starts, where it is %j', async ([given, why]) => {
    const words = ['agent', 'install', '--name', 'teal', '--yes', ...given];
    const installed = await cairn([...world.flags, ...words, '--', process.execPath], {
      ...{ cwd: world.home, env: { HOME: world.home, XDG_CONFIG_HOME: '', DATABASE_URL: '', SUPABASE_URL: '' } },
    });

    expect(installed).toMatchObject({ stdout: '', stderr: expect.stringContaining(why) });
    expect(installed.code).not.toBe(0);
  });
});

describe.skipIf(process.platform === 'win32')('cairn agent install of a service that would not start', () => {
  test.for([
    ['--workspace=', '--workspace names no folder.'],
    ['--workspace=none', 'There is no folder '],
    ['--workspace=worktree', 'Worktrees need a git repository: '],
  ])('with %s is refused', async ([workspace = '', why = '']) => {
    const installed = await cairn(
      [...world.flags, 'agent', 'install', '--name', 'heron', '--yes', workspace, '--', process.execPath],
      { cwd: world.home, env: { HOME: world.home, XDG_CONFIG_HOME: '', DATABASE_URL: '', SUPABASE_URL: '' } },
    );

    expect(installed).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(why) });
  });
});

describe('cairn agent wait', () => {
  test('prints the command that comes, with what ends it', { timeout: 60_000 }, async () => {
    const waiting = cairn([...world.flags, '--agent', 'heron', 'agent', 'wait', '--json'], { cwd: world.repository });
    await vi.waitUntil(() => isThere('heron'), { timeout: 30_000, interval: 200 });
    const { id } = await world.json('send', 'Look at it.', '--to', 'heron');

    const { code, stdout } = await waiting;

    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      lock_token: expect.any(Number),
      run: { status: 'running' },
      command: { id, content: 'Look at it.' },
    });
  });

  test('ends with 1 when none came in its time, and is for agents alone', { timeout: 60_000 }, async () => {
    const env = Object.fromEntries(
      ['CAIRN_AGENT', 'CAIRN_RUN', 'CLAUDECODE', 'CODEX_SESSION_ID', 'CODEX_CI', 'GEMINI_CLI', 'CURSOR_AGENT'].map(
        (name) => [name, ''],
      ),
    );

    const nothing = await cairn([...world.flags, '--agent', 'heron', 'agent', 'wait', '--seconds', '1']);
    const nobody = await cairn([...world.flags, 'agent', 'wait'], { env: { ...env, AI_AGENT: '' } });

    expect(nothing).toMatchObject({ code: 1, stdout: '' });
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('cairn --agent NAME agent wait') });
  });
});
