import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { StateFile } from '../../src/runner/state-file.ts';
import { type AgentWorld, openAgentWorld } from '../support/agent-world.ts';

// `cairn agent run` as a process that is killed, and started again.

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const CLAUDE = fileURLToPath(new URL('../runner/stand-ins/claude.mjs', import.meta.url));
const TALKER = `process.stdin.resume(); let n = 0; const say = () => { console.log('line ' + ++n);
  if (n === 60) process.exit(0); }; setInterval(say, 100);`;

type Left = { token?: number; runner: { pid: number }; children: { pid: number }[]; holder: { pid: number } };

let world: AgentWorld;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  world = await openAgentWorld();
});

afterEach(async () => {
  for (const runner of running) if (runner.exitCode === null && runner.signalCode === null) await end(runner);
  running.clear();
  await world.clear();
});

afterAll(() => world?.close());

async function start(name: string, driver: string, ...program: string[]): Promise<ChildProcess> {
  const before = (await left(name).catch(() => undefined))?.token;
  const args = ['agent', 'run', '--name', name, '--driver', driver, '--', execPath, ...program];
  const runner = spawn(execPath, [CLI, ...world.flags, ...args], {
    cwd: world.repository,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, CAIRN_AGENT: '', CLAUDECODE: '' },
  });
  running.add(runner);
  let said = '';
  runner.stdout?.on('data', (text) => (said += text));
  await vi.waitUntil(() => said.includes('waits for commands'), { timeout: 30_000 });
  const isNoted = async () => {
    const noted = await left(name).catch(() => undefined);
    // It is noted before it registers, too, with the token of the runner before.
    if (noted === undefined || noted.runner.pid !== runner.pid) return false;
    return noted.token !== undefined && noted.token !== before;
  };
  await vi.waitUntil(isNoted, { timeout: 5_000 });
  return runner;
}

async function end(runner: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const exited = once(runner, 'exit');
  runner.kill(signal);
  await exited;
}

/** What a runner leaves for the next. */
async function left(name: string): Promise<Left> {
  return JSON.parse(await readFile(new StateFile(join(world.home, 'data'), name).path, 'utf8'));
}

/** The same, once its agent has a process. */
async function working(name: string): Promise<Left> {
  return vi.waitUntil(
    async () => {
      const state = await left(name);
      return state.children.length > 0 ? state : undefined;
    },
    { timeout: 20_000 },
  );
}

async function send(name: string, content: string, ...more: string[]): Promise<string> {
  const { id } = await world.json('send', content, '--to', name, ...more);
  return id;
}

const runOf = async (command: string) => (await world.json('commands', 'show', command)).runs[0];

async function until(command: string, status: string, timeout = 30_000) {
  return vi.waitUntil(async () => ((await runOf(command)).status === status ? runOf(command) : undefined), {
    ...{ timeout, interval: 200 },
  });
}

const outputOf = async (run: string) => (await world.run(['output', run, '--all'])).stdout;

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('the next runner of an agent whose runner was killed', { timeout: 90_000 }, () => {
  test('goes on with the run, and nothing that was printed is lost or doubled', async () => {
    const first = await start('heron', 'pipe', '-e', TALKER);
    const command = await send('heron', 'Talk.');
    const { id } = await until(command, 'running');
    await vi.waitUntil(async () => (await outputOf(id)).includes('line 10\n'), { timeout: 20_000, interval: 200 });
    const { children } = await working('heron');

    await end(first, 'SIGKILL');
    const second = await start('heron', 'pipe', '-e', TALKER);
    expect((await working('heron')).children).toEqual(children);
    await end(second, 'SIGKILL');
    await start('heron', 'pipe', '-e', TALKER);

    await until(command, 'completed');
    expect(await outputOf(id)).toBe(Array.from({ length: 60 }, (_, at) => `line ${at + 1}\n`).join(''));
    expect((await runOf(command)).attempt ?? 1).toBe(1);
  });

  test('takes the answer that a person gave meanwhile, and steers and interrupts its turn', async () => {
    const first = await start('heron', 'claude', CLAUDE);
    const command = await send('heron', 'ask work 60000');
    const { id } = await until(command, 'waiting_approval');
    const [{ pid } = { pid: 0 }] = (await working('heron')).children;

    await end(first, 'SIGKILL');
    const { approvals } = await world.json('approvals');
    await world.run(['approvals', 'approve', approvals[0].id], { isTyped: true });
    await start('heron', 'claude', CLAUDE);

    await vi.waitUntil(async () => (await outputOf(id)).includes('was told: allow'), {
      ...{ timeout: 30_000, interval: 200 },
    });
    const steering = await send('heron', 'And the docs.', '--mode', 'steer');
    await vi.waitUntil(async () => (await outputOf(id)).includes('steered:'), { timeout: 20_000, interval: 200 });
    await world.run(['runs', 'interrupt', id]);
    await until(command, 'cancelled');
    await until(steering, 'cancelled');
    expect(isAlive(pid)).toBe(true);
    expect((await outputOf(id)).match(/begun with heron/g)).toHaveLength(1);
    expect(await world.json('approvals')).toMatchObject({ approvals: [] });
  });

  test('tells how a run ended while there was none', async () => {
    const first = await start('heron', 'claude', CLAUDE);
    const command = await send('heron', 'work 2500 use 77');
    await until(command, 'running');

    await end(first, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    await start('heron', 'claude', CLAUDE);

    expect(await until(command, 'completed')).toMatchObject({ result: 'did', tokens_in: 77 });
  });

  test('that drives another program ends the one that was left', async () => {
    const first = await start('heron', 'claude', CLAUDE);
    const command = await send('heron', 'work 60000 deaf');
    await until(command, 'running');
    const { children, holder } = await working('heron');

    await end(first, 'SIGKILL');
    await start('heron', 'pipe', '-e', TALKER);

    for (const { pid } of [...children, holder]) expect(isAlive(pid)).toBe(false);
    expect(await until(command, 'failed')).toMatchObject({ end_reason: 'lost' });
  });

  test('finds all of many, and starts none a second time', async () => {
    const names = ['wren-1', 'wren-2', 'wren-3', 'wren-4'];
    const runners = await Promise.all(names.map((name) => start(name, 'claude', CLAUDE)));
    const command = await world.json('send', 'work 15000', ...names.flatMap((name) => ['--to', name]));
    const pids = async () => (await Promise.all(names.map(working))).map(({ children }) => children[0]?.pid);
    const before = await pids();

    await Promise.all(runners.map((runner) => end(runner, 'SIGKILL')));
    await Promise.all(names.map((name) => start(name, 'claude', CLAUDE)));

    expect(await pids()).toEqual(before);
    await vi.waitUntil(async () => (await world.json('commands', 'show', command.id)).status === 'completed', {
      timeout: 40_000,
      interval: 500,
    });
  });
});

describe('an agent whose runner', { timeout: 60_000 }, () => {
  test('was told to end ends with it', async () => {
    const runner = await start('heron', 'claude', CLAUDE);
    await until(await send('heron', 'work 60000'), 'running');
    const { children, holder } = await working('heron');

    await end(runner);

    for (const { pid } of [...children, holder]) expect(isAlive(pid)).toBe(false);
  });

  test('loses what holds it ends too, and the runner says so', async () => {
    const runner = await start('heron', 'claude', CLAUDE);
    const command = await send('heron', 'work 60000 deaf');
    await until(command, 'running');
    const { children, holder } = await working('heron');

    const exited = once(runner, 'exit');
    process.kill(holder.pid, 'SIGKILL');

    expect((await exited)[0]).toBe(1);
    for (const { pid } of children) expect(isAlive(pid)).toBe(false);
    expect(await until(command, 'failed')).toMatchObject({ end_reason: 'crashed' });
  });
});
