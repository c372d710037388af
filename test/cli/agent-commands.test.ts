import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type AgentWorld, cells, openAgentWorld } from '../support/agent-world.ts';
import { claimed } from '../support/runners.ts';

let world: AgentWorld;

beforeAll(async () => {
  world = await openAgentWorld();
});

afterAll(() => world?.close());

afterEach(() => world.clear());

describe('without an agent', () => {
  test('there is nothing to see', async () => {
    expect((await world.run(['agents'])).stdout).toBe('No agents. `cairn agent run -- claude` starts one.\n');
    expect((await world.run(['queue'])).stdout).toBe('Nothing runs, and nothing waits.\n');
    expect((await world.run(['commands'])).stdout).toBe('No commands. `cairn send "…"` sends one.\n');
    expect((await world.run(['runs'])).stdout).toMatch(/^No runs\. .*`cairn send "…"`\.\n$/);
    expect((await world.run(['runs', '--open'])).stdout).toBe('No such runs.\n');
    expect((await world.run(['status'])).stdout).toMatch(/^Web shop/);
  });

  test('nothing can be sent, and each refusal names a command', async () => {
    for (const [args, said] of [
      [['send', 'Look.'], 'There is no agent in this workspace.\n`cairn agent run -- claude` starts one.'],
      [['send', 'Look.', '--to', 'claude-9'], '`cairn agents` shows those there are'],
      [['agents', 'show', 'claude-9'], '`cairn agents` shows those there are'],
      [['agents', 'stop', 'claude-9'], '`cairn agents` shows those there are'],
      [['queue', 'claude-9'], '`cairn agents` shows those there are'],
      [['commands', 'show'], '`cairn commands` shows the ids.'],
      [['commands', 'cancel', 'deadbeef'], 'There is no command deadbeef.\n`cairn commands` shows the ids.'],
      [['runs', 'show', 'deadbeef'], 'There is no run and no agent deadbeef.\n`cairn runs` shows the ids.'],
    ] as const) {
      expect(await world.run([...args]), args.join(' ')).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining(said),
      });
    }
  });

  test.for([
    ['send', 'x', '--priority', '101'],
    ['send', 'x', '--mode', 'shout'],
    ['send', 'x', '--type', 'other'],
    ['send', 'x', '--ttl', '31d'],
    ['send', 'x', '--time', '25h'],
    ['send', 'x', '--tokens', 'many'],
    ['send', 'x', '--set', 'a=b'],
    ['send', '--preset', 'review', '--set', 'a'],
    ['send', 'x', '--preset', 'review'],
    ['send', '  ', '--to', 'claude-1'],
    ['stop', 'claude-1', '--all'],
    ['agents', 'bogus'],
    ['commands', 'rm', 'x'],
    ['runs', 'kill', 'x'],
  ])('%s %s %s %s is mistyped', async (args) => {
    expect(await world.run(args.filter((word) => word !== undefined))).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('agents', () => {
  test('are listed with what they do, and shown first in the status', async () => {
    const one = await world.runner('claude-1');
    await world.runner('codex-1', { type: 'codex' });
    await world.run(['send', 'Run the tests.\nAll of them.', '--to', 'claude-1']);
    await world.run(['send', 'Then push.', '--to', 'claude-1']);
    await claimed(one);

    const { stdout } = await world.run(['agents']);

    expect(cells(stdout)).toEqual([
      ['AGENT', 'TYPE', 'HOST', 'STATE', 'DOES', 'QUEUED', 'SEEN'],
      ['codex-1', 'codex', 'box', 'online', expect.stringMatching(/now|ago/)],
      ['claude-1', 'claude', 'box', 'online', 'Run the tests.', '1', expect.stringMatching(/now|ago/)],
    ]);
    expect((await world.run(['status'])).stdout).toMatch(
      /^Agents\nAGENT .*\nclaude-1 .*Run the tests\..*\ncodex-1 .*\n\nWeb shop/,
    );
    expect((await world.json('status')).agents).toMatchObject([{ name: 'claude-1' }, { name: 'codex-1' }]);
    expect((await world.json('agents', 'list')).agents).toHaveLength(2);
  });

  test('that wait for a person come first in the status', async () => {
    const one = await world.runner('claude-1');
    await world.runner('codex-1');
    await world.run(['send', 'Deploy.', '--to', 'claude-1']);
    const { run, lock_token } = await claimed(one);
    await one.report(run.id, lock_token, [{ type: 'run.waiting', data: { for: 'approval', text: 'rm -rf build' } }]);

    expect((await world.run(['status'])).stdout).toMatch(
      /^Agents\nAGENT .*\nclaude-1 .*waits for an approval \(rm -rf build\): Deploy\./,
    );
  });

  test('are shown in full, renamed and retired', async () => {
    const one = await world.runner('claude-1', { config: { modes: ['turn', 'steer'] } });
    await one.beat({ health: { cpu_usage: 3 } });
    await world.run(['send', 'Run the tests.']);
    await claimed(one);

    const { stdout } = await world.run(['agents', 'show', 'CLAUDE-1']);

    expect(stdout).toMatch(/^claude-1 {2}claude, online\nhost +box\ndriver +pipe\n/);
    for (const line of [
      /modes +turn, steer/,
      /health +cpu_usage 3, commands_processed 0/,
      /\nRuns\nRUN .*\n.* running .*Run the tests\./,
    ])
      expect(stdout).toMatch(line);
    expect((await world.run(['agents', 'rename', 'claude-1', 'tester'])).stdout).toBe('claude-1 is tester now.\n');
    await world.runner('other');
    expect(await world.run(['agents', 'rename', 'tester', 'OTHER'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/another agent OTHER .*\n.*Choose another name\.\n/),
    });
    expect((await world.run(['agents', 'retire', 'other'])).stdout).toBe('other is retired, and its name is free.\n');
    await world.run(['send', 'And then?']);
    expect(await world.run(['agents', 'retire', 'tester'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /tester is at work: with it 1 run ends, 1 of its queue is cancelled\.\n.*Add --yes to do it\.\n/,
      ),
    });
    expect((await world.run(['agents', 'retire', 'tester', '--yes'])).stdout).toBe(
      'tester is retired, and its name is free: 1 run ends, 1 of its queue is cancelled.\n',
    );
    expect((await world.json('runs', '--agent', 'Tester')).runs).toMatchObject([
      { status: 'cancelled' },
      { status: 'failed', end_reason: 'lost' },
    ]);
    expect((await world.run(['agents'])).stdout).toMatch(/^No agents/);
    expect((await world.run(['agents', 'list', '--all'])).stdout).toMatch(/\ntester .*retired/);
  });
});

test('what the server refused of a runner is told with its agent, and with the run once that has ended', async () => {
  const one = await world.runner('claude-1');
  await world.run(['send', 'Run the tests.']);
  const { run, lock_token } = await claimed(one);
  await one.beat({ health: { not_recorded: 2 } });
  expect((await world.run(['agents'])).stdout).toMatch(/claude-1 .* 2 reports are not on the record$/m);
  expect((await world.json('agents')).agents).toMatchObject([{ health: { not_recorded: 2 } }]);

  const data = { status: 'failed', end_reason: 'error', error: 'It broke.', metrics: { not_recorded: 1 } };
  await one.report(run.id, lock_token, [{ type: 'run.finished', data }]);
  expect((await world.run(['runs'])).stdout).toContain('It broke.; 1 report is not on the record');
  expect((await world.json('runs')).runs[0]).toMatchObject({ not_recorded: 1 });
});

describe('a stop', () => {
  beforeEach(async () => {
    await world.runner('claude-1');
    await world.runner('claude-2');
  });

  test('of an agent holds its queue alone', async () => {
    await world.run(['send', 'Look.', '--to', 'all']);

    const stopped = await world.run(['stop', 'claude-1', '-m', 'It goes in circles.']);

    expect(stopped.stdout).toBe('claude-1 is stopped: 1 of its queue waits. Take it back: cairn go-on claude-1\n');
    const { stdout } = await world.run(['agents']);
    expect(stdout).toMatch(/claude-1 .* stopped .* is stopped by .*: It goes in circles\./);
    expect(stdout).toMatch(/claude-2 .* online /);
    expect((await world.run(['go-on', 'claude-1'])).stdout).toBe('claude-1 may go on.\n');
  });

  test('by name outlasts the end of that of the workspace, which says so', async () => {
    await world.run(['stop', 'claude-2']);

    expect((await world.run(['go-on'])).stdout).toBe(
      'The agents of the workspace may go on.\nclaude-2 stays stopped, as it was stopped by name: cairn go-on claude-2\n',
    );
  });

  test('goes on with the next agent after a refusal', async () => {
    const { code, stdout, stderr } = await world.run(['stop', 'claude-1', 'claude-9', 'claude-2']);

    expect(code).toBe(1);
    expect(stdout).toMatch(/^claude-1 is stopped\..*\nclaude-2 is stopped\./);
    expect(stderr).toContain('There is no agent claude-9');
    expect((await world.run(['agents', 'go-on', 'claude-1'])).stdout).toBe('claude-1 may go on.\n');
  });

  test('of the workspace holds all', async () => {
    const said = await world.run(['stop', '-m', 'Smoke.']);

    expect(said.stdout).toMatch(
      /^All agents of the workspace are stopped(: \d+ runs will be interrupted)?\. Take it back: cairn go-on\n$/,
    );
    expect((await world.run(['send', 'Look.', '--to', 'claude-1'])).stdout).toContain(
      'all agents of the workspace are stopped: Smoke.',
    );
    expect((await world.run(['agents', 'go-on', 'claude-1'])).stdout).toBe(
      'claude-1 may go on, but all agents of the workspace are stopped: Smoke.\n',
    );
    expect(await world.json('go-on', '--all')).toMatchObject({ reach: 'workspace', stopped: false });
    expect((await world.run(['agents'])).stdout).not.toContain('stopped');
  });

  test('of the installation is taken back by its own option', async () => {
    expect((await world.run(['stop', '--everywhere'])).stdout).toMatch(
      /^All agents of the installation are stopped.*\. Take it back: cairn go-on --everywhere\n$/,
    );
    expect((await world.run(['go-on'])).stdout).toBe(
      'The agents of the workspace may go on, but all agents are stopped.\n',
    );
    expect((await world.run(['agents'])).stdout).toContain('all agents are stopped');
    expect((await world.run(['go-on', '--everywhere'])).stdout).toBe('The agents of the installation may go on.\n');
  });
});

describe('cairn agents limit', () => {
  test('sets how many agents of the workspace runners drive at once, and tells how it is', async () => {
    expect((await world.run(['agents', 'limit'])).stdout).toBe(
      'Runners drive 0 of at most 50 agents of this workspace.\n',
    );
    await world.runner('claude-1');
    expect(await world.json('agents', 'limit', '1')).toEqual({ agents_max: 1, driven: 1 });

    await expect(world.runner('claude-2')).rejects.toMatchObject({ code: 'rate_limited' });
    expect(await world.run(['agents', 'limit', 'many'])).toMatchObject({ code: 2, stdout: '' });
    await world.run(['agents', 'limit', '50']);
  });

  test('is not for an agent, in its shell either', async () => {
    expect(await world.run(['agents', 'limit', '99'], { env: { CLAUDECODE: '1' } })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('How many agents a workspace may have is decided by a person'),
    });
  });
});
