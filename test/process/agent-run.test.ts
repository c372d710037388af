import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { StateFile } from '../../src/runner/state-file.ts';
import { type AuthServing, startAuthServing } from '../support/auth-serving.ts';
import { cairn } from '../support/cairn.ts';
import { freePort } from '../support/free-port.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { RunnerProcess } from '../support/runner-process.ts';

// `cairn serve --auth` and `cairn agent run --url` as people run them, on two data directories: two machines.

const PROGRAM = fileURLToPath(new URL('../runner/stand-ins/program.mjs', import.meta.url));
const CLAUDE = fileURLToPath(new URL('../runner/stand-ins/claude.mjs', import.meta.url));

let world: LocalWorld;
let serving: AuthServing;
let elsewhere: LocalWorld;
const running = new Set<RunnerProcess>();

beforeAll(async () => {
  [world, elsewhere] = await Promise.all([openLocalWorld(), openLocalWorld()]);
  serving = await startAuthServing({ dataDir: world.dataDir });
}, 120_000);

afterEach(async () => {
  for (const driving of running) await driving.end('SIGTERM');
  running.clear();
});

afterAll(async () => {
  await serving?.stop();
  await world?.close();
  await elsewhere?.close();
});

const environment = { CAIRN_AGENT: '', CAIRN_TOKEN: '', NO_COLOR: '1' };
const run = (...args: string[]) => cairn(['--data-dir', world.dataDir, ...args], { env: environment });

/** Runs a command of the server's machine, which succeeds. */
async function data<Data>(...args: string[]): Promise<Data> {
  const { code, stdout, stderr } = await run(...args, '--json');
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Data;
}

async function tokenOf(agent: string): Promise<{ id: string; token: string }> {
  return data('auth', 'pat', 'create', '--name', 'box', '--agent', agent);
}

function start(args: string[], token: string): RunnerProcess {
  const started = new RunnerProcess(args, { dataDir: elsewhere.dataDir, token });
  running.add(started);
  return started;
}

async function drive(agent: string, words: string[], { token }: { token: string }): Promise<RunnerProcess> {
  const driver = words.includes(CLAUDE) ? 'claude' : 'pipe';
  const flags = ['--url', serving.origin, '--name', agent, '--driver', driver];
  const driving = start([...flags, '--', ...words], token);
  await driving.says('waits for commands');
  return driving;
}

type Command = { id: string; status: string; runs: { status: string; end_reason?: string; attempt: number }[] };

const send = (agent: string, text: string) => data<Command>('send', text, '--to', agent);
/** Looks past the program, of which each start costs more than the command. */
async function ended({ id }: Command): Promise<Command> {
  const goesOn = `select from public.commands where id = '${id}' and status not in ('completed', 'failed', 'cancelled')`;
  await vi.waitUntil(async () => (await world.rows(goesOn)).length === 0, { timeout: 40_000, interval: 300 });
  return data<Command>('commands', 'show', id);
}

describe('cairn agent run --url', { timeout: 120_000 }, () => {
  test('drives an agent of another machine, which does not see its token', async () => {
    const made = await tokenOf('heron');
    const listed = await run('auth', 'pat', 'list');
    const script = 'console.log("saw", process.env.CAIRN_TOKEN ?? "none", process.env.CAIRN_AGENT)';
    const driving = await drive('heron', [process.execPath, '-e', script], made);

    const command = await ended(await send('heron', 'Hello.'));

    expect(listed.stdout).toMatch(/AGENT[\s\S]*heron/);
    expect(command).toMatchObject({ status: 'completed', runs: [{ result: 'saw none heron' }] });
    expect(driving.stdout).toContain('saw none heron');
    expect(await driving.end('SIGTERM')).toBe(0);
    expect(driving.stdout).toContain('Ending heron…\n');
    expect((await run('agents')).stdout).toMatch(/heron .*offline/);
  });

  test('says what is wrong with an address, a token, a name', async () => {
    const { token } = await tokenOf('ibis');
    const other = await data<{ token: string }>('auth', 'pat', 'create', '--name', 'x', '--scope', 'tasks:read');
    const file = join(elsewhere.dataDir, 'token');
    await writeFile(file, `${token}\n`);
    const prose = join(elsewhere.dataDir, 'prose');
    await writeFile(prose, `${token}\nFor the agent ibis.\n`);
    const failing = async (args: string[], given = '') => {
      const driving = start([...args, '--', process.execPath, PROGRAM], given);
      const code = await driving.exited;
      running.delete(driving);
      return [code, driving.stderr];
    };
    const url = ['--url', serving.origin];

    for (const [args, given, code, said] of [
      [
        [...url, '--name', 'egret'],
        token,
        1,
        'This token drives the agent ibis alone.\nStart the runner with --name ibis',
      ],
      [[...url, '--name', 'egret', '--token-file', file], '', 1, 'This token drives the agent ibis alone.'],
      [[...url, '--name', 'ibis'], other.token, 1, 'This needs agents:run.'],
      [[...url, '--name', 'ibis'], '', 1, 'cairn auth pat create --name NAME --agent AGENT'],
      [['--url', `http://127.0.0.1:${await freePort()}`], token, 1, 'Check --url, and that `cairn serve` runs there.'],
      [['--url', 'http://cairn.example.com'], token, 2, 'A token does not go to cairn.example.com in the clear.'],
      [['--url', 'heron'], token, 2, '--url is the address of a `cairn serve`.'],
      [['--token-file', file], '', 2, 'Name the server with --url too.'],
      [[...url, '--token-file', `${file}.none`], '', 2, 'The token cannot be read'],
      [[...url, '--name', 'ibis', '--token-file', prose], '', 2, 'holds more than a token, or none.'],
    ] as const) {
      expect(await failing([...args], given), args.join(' ')).toEqual([code, expect.stringContaining(said)]);
    }
  });

  test('ends with its run when its token is revoked, and says so', async () => {
    const made = await tokenOf('stork');
    const driving = await drive('stork', [process.execPath, CLAUDE], made);
    await send('stork', 'work 60000');
    await driving.says('reads:');

    const at = performance.now();
    await run('auth', 'pat', 'revoke', made.id);
    const code = await driving.exited;

    expect(code).toBe(1);
    expect(driving.stderr).toContain('The access token is not accepted. It was revoked.');
    expect(performance.now() - at).toBeLessThan(15_000);
  });

  test('that is killed leaves its agent to the next of its name, which takes it over', async () => {
    const made = await tokenOf('crane');
    const first = await drive('crane', [process.execPath, CLAUDE], made);
    const command = await send('crane', 'work 8000');
    await first.says('reads:');
    const then = await send('crane', 'then');

    await first.end('SIGKILL');
    const second = await drive('crane', [process.execPath, CLAUDE], made);

    expect(await ended(command)).toMatchObject({ status: 'completed', runs: [{ result: 'did' }] });
    expect(await ended(then)).toMatchObject({ status: 'completed' });
    expect(second.stdout.match(/reads: /g)).toHaveLength(1);
    expect(await world.rows("select from public.agent_runs where agent_name = 'crane' and ended_at is null")).toEqual(
      [],
    );
  });
});

describe('cairn agent run without a name', { timeout: 120_000 }, () => {
  test('takes the next free one, beside another of its kind', async () => {
    const words = ['--driver', 'pipe', '--type', 'teal', '--', process.execPath, PROGRAM];
    const first = start(words, '');
    await first.says('teal-1 waits for commands');

    const second = start(words, '');

    await second.says('waits for commands');
    expect(second.stdout).toMatch(/^teal-2 waits/);
  });

  test('leaves one whose runner was killed to the next that drives the same', async () => {
    const words = ['--driver', 'pipe', '--type', 'smew', '--', process.execPath, PROGRAM];
    const first = start(words, '');
    await first.says('smew-1 waits for commands');
    const state = new StateFile(elsewhere.dataDir, 'smew-1').path;
    // One that is killed before has its name until its lease ends.
    await vi.waitUntil(async () => 'token' in JSON.parse(await readFile(state, 'utf8')), { timeout: 5_000 });
    await first.end('SIGKILL');

    const another = start([...words, 'another'], '');
    await another.says(/smew-\d waits for commands/);
    const next = start(words, '');
    await next.says(/smew-\d waits for commands/);

    expect(another.stdout).toMatch(/^smew-2 waits/);
    expect(next.stdout).toMatch(/^smew-1 waits/);
  });
});
