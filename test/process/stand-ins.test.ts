import { readFile } from 'node:fs/promises';
import { execPath } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DRIVER_NAMES, type DriverName } from '../../src/runner/driver-names.ts';
import { StateFile } from '../../src/runner/state-file.ts';
import { cairn } from '../support/cairn.ts';
import { freePort } from '../support/free-port.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { RunnerProcess } from '../support/runner-process.ts';
import { type Serving, startServing } from '../support/serve.ts';

// A stand-in for each driver, and all that may befall it while it works, with processes as people start them. One
// follows the other: their starts cost the most.

// With 60, as long as a release is tried.
const AWAY_SECONDS = Number(process.env.CAIRN_TEST_AWAY_SECONDS ?? 5);

let server: LocalWorld;
let machine: LocalWorld;
let serving: Serving;
let port: number;
const tokens: { id: string; token: string }[] = [];
let runners: RunnerProcess[] = [];

const nameOf = (driver: DriverName) => `of-${driver}`;
const serve = () => startServing(['--auth', '--data-dir', server.dataDir, '--port', `${port}`]);

beforeAll(async () => {
  [server, machine, port] = await Promise.all([openLocalWorld(), openLocalWorld(), freePort()]);
  serving = await serve();
  await data('project', 'create', 'web', '--name', 'Web shop');
  for (const driver of DRIVER_NAMES) {
    tokens.push(await data('auth', 'pat', 'create', '--name', 'box', '--agent', nameOf(driver)));
  }
  runners = await startAll();
}, 120_000);

afterAll(async () => {
  await Promise.all(runners.map((runner) => runner.end('SIGTERM')));
  await serving?.stop();
  await server?.close();
  await machine?.close();
}, 120_000);

/** Runs a command of the server's machine, which succeeds. */
async function data<Data>(...args: string[]): Promise<Data> {
  const env = { CAIRN_AGENT: '', CAIRN_TOKEN: '', NO_COLOR: '1' };
  const { code, stdout, stderr } = await cairn(['--data-dir', server.dataDir, ...args, '--json'], { env });
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Data;
}

/** Starts a runner for each driver. */
async function startAll(): Promise<RunnerProcess[]> {
  const started = DRIVER_NAMES.map((driver, at) => {
    const standIn = driver === 'pipe' ? 'program' : driver;
    const script = fileURLToPath(new URL(`../runner/stand-ins/${standIn}.mjs`, import.meta.url));
    const flags = ['--url', `http://127.0.0.1:${port}`, '--name', nameOf(driver), '--driver', driver, '--quiet', '1s'];
    return new RunnerProcess([...flags, '--', execPath, script], {
      ...{ dataDir: machine.dataDir, token: tokens[at]?.token ?? '' },
    });
  });
  await Promise.all(started.map((runner) => runner.says('waits for commands')));
  return started;
}

type Run = { id: string; agent: string; status: string; attempt: number; acked_at?: string; end_reason?: string };
type Command = { id: string; status: string; runs: Run[] };

/** Sends one command to all. */
const send = (text: string) => data<Command>('send', text, ...DRIVER_NAMES.flatMap((name) => ['--to', nameOf(name)]));

/** Waits for all runs of a command; past the program, of which each start costs more than the command. */
async function until({ id }: Command, runs: string): Promise<void> {
  const others = `select from public.agent_runs where command_id = '${id}' and not (${runs})`;
  await vi.waitUntil(async () => (await server.rows(others)).length === 0, { timeout: 60_000, interval: 200 });
}

async function ended(command: Command): Promise<Command> {
  await until(command, 'ended_at is not null');
  return data('commands', 'show', command.id);
}

/** The processes of all agents on the machine. */
async function pids(): Promise<number[]> {
  const states = await Promise.all(
    DRIVER_NAMES.map((driver) =>
      readFile(new StateFile(machine.dataDir, nameOf(driver), { place: `127.0.0.1:${port}` }).path, 'utf8'),
    ),
  );
  return states.flatMap((text) => JSON.parse(text).children.map(({ pid }: { pid: number }) => pid));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const once = DRIVER_NAMES.map(() => ({ status: 'completed', attempt: 1 }));
const given = () => runners.map(({ stdout }) => stdout.match(/reads: /g)?.length ?? 0);

describe('agents of every driver', { timeout: 120_000 + 1_000 * AWAY_SECONDS }, () => {
  test(`work on while their server is away for ${AWAY_SECONDS} seconds, and nothing is lost or done twice`, async () => {
    // It ends while nobody can be told.
    const first = await send(`work ${2_000 + 500 * AWAY_SECONDS}`);
    await until(first, 'acked_at is not null');

    serving.kill('SIGKILL');
    await serving.exited;
    const then = await send('then');
    await pause(1_000 * AWAY_SECONDS);
    expect((await data<Command>('commands', 'show', first.id)).status).toBe('executing');
    serving = await serve();

    expect(await ended(first)).toMatchObject({ status: 'completed', runs: once });
    expect(await ended(then)).toMatchObject({ status: 'completed', runs: once });
    expect(given()).toEqual(DRIVER_NAMES.map(() => 2));
  });

  test('are taken over when their runners are killed, and none is started a second time', async () => {
    const command = await send('work 9000');
    await until(command, 'acked_at is not null');
    const before = await pids();
    expect(before).toHaveLength(DRIVER_NAMES.length);

    await Promise.all(runners.map((runner) => runner.end('SIGKILL')));
    runners = await startAll();
    expect(await pids()).toEqual(before);

    expect(await ended(command)).toMatchObject({ status: 'completed', runs: once });
    for (const { id } of command.runs) {
      const { stdout } = await cairn(['--data-dir', server.dataDir, 'output', id, '--all']);
      expect(stdout.match(/reads: /g)).toHaveLength(1);
    }
  });

  test('end what they do, and their runners, when their tokens are revoked', async () => {
    const command = await send('work 600000');
    await until(command, 'acked_at is not null');
    const before = await pids();

    for (const { id } of tokens) await data('auth', 'pat', 'revoke', id);

    expect(await Promise.all(runners.map(({ exited }) => exited))).toEqual(DRIVER_NAMES.map(() => 1));
    for (const { stderr } of runners) expect(stderr).toContain('It was revoked.');
    expect(before.filter(isAlive)).toEqual([]);
    expect(await server.verify()).toMatchObject({ ok: true });
  });
});
