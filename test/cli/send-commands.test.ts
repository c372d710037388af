import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type AgentWorld, cells, end, openAgentWorld } from '../support/agent-world.ts';
import { cairn } from '../support/cairn.ts';
import { claimed, completed, type Runner } from '../support/runners.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

let world: AgentWorld;

beforeAll(async () => {
  world = await openAgentWorld();
});

afterAll(() => world?.close());

afterEach(() => world.clear());

describe('a command', () => {
  test('goes to the only agent, and says that it is next or why it waits', async () => {
    await world.runner('claude-1');

    const first = await world.run(['send', 'Look', 'at it.']);

    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(
      /^The command \w{8} is queued\.\nAGENT +STATUS +NOTE +RUN\nclaude-1 +queued +takes it next +\w{8}\n$/,
    );
    expect((await world.run(['send', 'And again.'])).stdout).toContain('1 of the queue comes first');
    expect(await world.json('commands', 'show')).toMatchObject({
      content: 'And again.',
      by_person: true,
      project: 'web',
      mode: 'turn',
    });
  });

  test('for an agent of one project is refused with the option that names it', async () => {
    await world.runner('claude-1', { project: 'web' });
    await world.runner('claude-2');
    await world.run(['project', 'create', 'shop']);

    expect(await world.run(['--project', 'shop', 'send', 'Look.', '--to', 'claude-1'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/claude-1 works for one project alone\.\n.*Name it: `--project web`\.\n/),
    });
    expect((await world.run(['agents'])).stdout).toMatch(/PROJECT.*\n(.*\n)*claude-1 .* web /);
    expect(await world.run(['--project', 'shop', 'send', 'Look.', '--to', 'type:codex'])).toMatchObject({
      stderr: expect.stringContaining('`cairn agent run -- claude` starts one.'),
    });
  });

  test('names its agent if there are several', async () => {
    await world.runner('claude-1');
    await world.runner('codex-1', { type: 'codex' });

    expect(await world.run(['send', 'Look.'])).toMatchObject({
      code: 2,
      stderr: 'cairn: There are 2 agents: codex-1, claude-1.\nName one with --to NAME, or all with --to all.\n',
    });
    const sent = await world.json('send', 'Look.', '--to', 'type:codex', '--to', 'claude-1');
    expect(sent.runs).toMatchObject([{ agent: 'claude-1' }, { agent: 'codex-1' }]);
    expect((await world.json('send', 'Look.', '--to', 'all')).runs).toHaveLength(2);
  });

  test('takes its text from standard input, and its limits, time and task from options', async () => {
    await world.runner('claude-1');
    const [{ ref }] = (await world.json('add', 'Pay')).tasks;
    const options = ['--time', '10m', '--tokens', '200k', '--ttl', '7d', '--priority', '90', '--type', 'review'];

    const { stdout } = await world.run(
      ['send', '-', '--task', ref.replace('web-', ''), '--mode', 'steer', '--repeatable', ...options, '--json'],
      { input: 'Look at\nit.\n' },
    );

    expect(JSON.parse(stdout)).toMatchObject({
      content: 'Look at\nit.',
      task: ref,
      mode: 'steer',
      type: 'review',
      priority: 90,
      limits: { time_limit_ms: 600_000, token_budget: 200_000 },
    });
    const shown = (await world.run(['commands', 'show'])).stdout;
    for (const line of [
      new RegExp(`task +${ref}\n`),
      /limits +10m, 200000 tokens\n/,
      /expires +in 6d\n/,
      /\nRuns\nRUN /,
    ])
      expect(shown).toMatch(line);
  });

  test('of a preset has its text and its agents', async () => {
    await world.run([
      'presets',
      'save',
      'review',
      '--content',
      'Review {{branch}}.',
      '--for',
      'codex',
      '--var',
      'branch',
    ]);
    await world.run(['presets', 'save', 'go', '--content', 'Go on.']);
    await world.runner('codex-1', { type: 'codex' });
    await world.runner('codex-2', { type: 'codex' });

    const sent = await world.json('send', '--preset', 'review', '--set', 'branch=a=b');

    expect(sent).toMatchObject({ content: 'Review a=b.', runs: [{ agent: 'codex-1' }, { agent: 'codex-2' }] });
    expect(await world.run(['send', '--preset', 'go'])).toMatchObject({ code: 2 });
    expect(await world.json('send', '--preset', 'go', '--to', 'codex-2')).toMatchObject({ content: 'Go on.' });
    expect((await world.run(['send', '--preset', 'none', '--to', 'all'])).stderr).toContain('`cairn presets`');
  });

  test('of whoever is named as an agent is no order of a person', async () => {
    await world.runner('claude-1');

    const sent = await world.run(['send', 'Look.', '--to', 'claude-1', '--agent', 'ada']);

    expect(sent.stdout).toContain("It arrives as from the agent ada, not as a person's order.");
    expect(await world.json('commands', 'show')).toMatchObject({ by_person: false, sent_by: 'ada' });
    const env = { CAIRN_AGENT: 'grace' };
    const { stdout } = await world.run(['send', 'Look.', '--json'], { env });
    expect(JSON.parse(stdout)).toMatchObject({ by_person: false, sent_by: 'grace' });
  });

  test('is listed, and taken back by the end of its id', async () => {
    const one = await world.runner('claude-1');
    const { id } = await world.json('send', 'Look.');
    await claimed(one);

    const { stdout } = await world.run(['commands', '--status', 'executing']);
    expect(cells(stdout)[0]).toEqual(['COMMAND', 'STATUS', 'TO', 'PRIORITY', 'TEXT', 'FROM', 'SENT']);
    expect(cells(stdout)[1]?.slice(0, 5)).toEqual([end(id), 'executing', 'claude-1', '50', 'Look.']);

    expect((await world.run(['commands', 'cancel', end(id), '-m', 'Not needed.'])).stdout).toBe(
      `The command ${end(id)} is cancelled. Its runs by claude-1 will be interrupted.\n`,
    );
    expect(await world.json('commands', 'show', end(id))).toMatchObject({ status: 'cancelled', error: 'Not needed.' });
    expect((await world.run(['commands', 'cancel', id])).code).toBe(1);
    expect((await world.json('commands', '--project', 'web', '--limit', '1')).commands).toHaveLength(1);
  });
});

describe('waiting for a command', () => {
  const started = (...args: string[]) => cairn([...world.flags, 'send', ...args, '--wait'], { cwd: world.repository });

  async function take(one: Runner) {
    for (;;) {
      const found = await one.claim();
      if ('run' in found) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  test('ends with what became of it', { timeout: 30_000 }, async () => {
    const one = await world.runner('claude-1');
    const waited = started('Look.', '--to', 'claude-1');
    const { run, lock_token } = await take(one);
    const { type, data } = completed;
    await one.report(run.id, lock_token, [{ type, data: { ...data, result: 'Looking…\n\n  All is well. \n\n' } }]);

    const { code, stdout, stderr } = await waited;

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^The command \w{8} is (queued|executing)\.\n/);
    expect(stdout).toMatch(/\nclaude-1: completed, All is well\.\nThe command \w{8} is completed\.\n$/);
  });

  test('fails if it is not completed, and prints one document as JSON', { timeout: 30_000 }, async () => {
    const one = await world.runner('claude-1');
    const waited = started('Look.', '--to', 'claude-1', '--json');
    const { run, lock_token } = await take(one);
    await one.report(run.id, lock_token, [
      { type: 'run.finished', data: { status: 'failed', end_reason: 'error', error: 'No way.' } },
    ]);

    const { code, stdout } = await waited;

    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'failed', runs: [{ error: 'No way.' }] });
  });

  test('ends with a command that nobody takes in its time', { timeout: 30_000 }, async () => {
    await world.runner('claude-1');
    await (await world.runner('heron-1')).beat({ leaving: true });

    const { code, stdout, stderr } = await started('Look.', '--to', 'all', '--ttl', '1s');

    expect(code).toBe(1);
    expect(stderr).toBe('cairn: 1 of 2 agents is not running: heron-1. It is waited for until the command expires.\n');
    expect(stdout).toContain('is not running; `cairn agent run --name heron-1 -- PROGRAM` starts it');
    expect(stdout).toMatch(/The command \w{8} is expired\.\n$/);
  });
});

describe('the queue and the runs', () => {
  test('are shown with their commands, and why they wait', async () => {
    const one = await world.runner('claude-1');
    await world.run(['send', 'Run the tests.']);
    await world.run(['send', 'Push.', '--priority', '10', '--mode', 'steer']);
    await world.run(['send', 'Mend it.', '--priority', '90', '--mode', 'interrupt']);
    const { run, lock_token } = await claimed(one);

    const shown = cells((await world.run(['queue', 'claude-1'])).stdout).map((row) => row.slice(1, 7));

    expect(shown).toEqual([
      ['AGENT', 'STATUS', 'PRIORITY', 'MODE', 'COMMAND', 'NOTE'],
      ['claude-1', 'running', '90', 'interrupt', 'Mend it.', expect.stringMatching(/now|ago/)],
      ['claude-1', 'queued', '50', 'turn', 'Run the tests.', 'is busy'],
      ['claude-1', 'queued', '10', 'steer', 'Push.', 'is busy; taken as a turn: pipe cannot steer'],
    ]);
    expect((await world.json('queue')).runs).toHaveLength(3);
    await one.report(run.id, lock_token, [completed]);
    expect((await world.json('runs', '--agent', 'claude-1', '--open')).runs).toHaveLength(2);
    expect((await world.run(['runs', '--limit', '1'])).stdout).toContain('Only the latest 1; --limit shows more.');
    expect((await world.run(['runs', '--agent', 'claude-9'])).code).toBe(1);
  });

  test('one is shown in full, and interrupted', async () => {
    const one = await world.runner('claude-1');
    await world.run(['send', 'Run the tests.']);
    const { run, lock_token } = await claimed(one);
    await one.report(run.id, lock_token, [{ type: 'run.delivered', data: { path: 'stdin' } }]);

    expect((await world.run(['runs', 'interrupt', end(run.id), '-m', 'Wrong branch.'])).stdout).toBe(
      `The run ${end(run.id)} will be interrupted by the runner of claude-1.\n`,
    );

    const { stdout } = await world.run(['runs', 'show', end(run.id)]);
    expect(stdout).toMatch(/^claude-1 {2}running\nnote +will be interrupted: Wrong branch\.\n/);
    expect(stdout).toMatch(/delivered +(now|\d+s ago), by stdin\n/);
    expect(stdout).toMatch(/\nCommand\nRun the tests\.\n$/);
    expect(await one.beat({ runs: [{ run: run.id, lock_token }] })).toMatchObject({ runs: [{ state: 'interrupt' }] });

    const cancelled = { status: 'cancelled', end_reason: 'interrupted', metrics: { ended_by: 'kill' } };
    await one.report(run.id, lock_token, [{ type: 'run.finished', data: cancelled }]);
    expect((await world.run(['runs', 'show', end(run.id)])).stdout).toMatch(/\nby +an interrupt, TERM .+, then KILL\n/);
  });

  test.for([[['queue']], [['runs', '--open', '--agent', 'claude-1']]] as const)(
    '%j can be followed as lines',
    { timeout: 30_000 },
    async ([args]) => {
      const one = await world.runner('claude-1');
      const { id } = await world.json('send', 'Look.');
      const child = spawn(process.execPath, [CLI, ...world.flags, ...args, '--follow', '--json'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let printed = '';
      child.stdout.on('data', (chunk) => {
        printed += chunk;
      });
      const until = async (said: string) => {
        for (let n = 0; !printed.includes(said) && n < 300; n += 1) await new Promise((go) => setTimeout(go, 50));
      };

      await until('"status":"queued"');
      const { run, lock_token } = await claimed(one);
      await until('"status":"running"');
      await one.report(run.id, lock_token, [completed]);
      await until('"status":"completed"');
      child.kill('SIGTERM');
      const [code] = await once(child, 'close');

      const lines = printed
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(lines.map(({ command, status }) => [command, status])).toEqual([
        [id, 'queued'],
        [id, 'running'],
        [id, 'completed'],
      ]);
      if (process.platform !== 'win32') expect(code).toBe(0);
    },
  );
});
