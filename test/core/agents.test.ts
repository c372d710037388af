import { describe, expect } from 'vitest';
import { getAgent } from '../../src/services/agents.ts';
import { call, person } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { claimed, completed, type Runner, runnerOf } from '../support/runners.ts';
import { test } from '../support/world.ts';

describe('an agent', () => {
  test('is there while its runner beats, and lost when it does not', async ({ as, clock }) => {
    const runner = await runnerOf(as('ada'), 'claude-1');
    expect(await call(as('ada'), 'list_agents')).toMatchObject({ agents: [{ name: 'claude-1', state: 'online' }] });

    await clock.advance({ seconds: 31 });
    expect(await call(as('ada'), 'list_agents')).toMatchObject({ agents: [{ state: 'lost' }] });

    await runner.beat({ health: { cpu_usage: 3 } });
    expect(await call(as('ada'), 'list_agents')).toMatchObject({
      agents: [{ state: 'online', health: { cpu_usage: 3 } }],
    });
    await runner.beat({ leaving: true });
    expect(await call(as('ada'), 'list_agents')).toMatchObject({ agents: [{ state: 'offline' }] });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('has the figures of its runs, whatever its runner says', async ({ as, clock }) => {
    const runner = await runnerOf(as('ada'), 'claude-1');
    await runner.beat({ health: { uptime: 5, cpu_usage: 3, commands_processed: 70, average_response_time: 1 } });
    expect(await getAgent(as('ada'), { agent: 'claude-1' })).toMatchObject({
      health: { uptime: 5, cpu_usage: 3, commands_processed: 0 },
    });

    for (const seconds of [2, 4]) {
      await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'x' });
      const { run, lock_token } = await claimed(runner);
      await clock.advance({ seconds });
      await runner.report(run.id, lock_token, [completed]);
    }
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'waits' });

    const { health = {} } = await getAgent(as('ada'), { agent: 'claude-1' });
    expect(health).toMatchObject({ uptime: 5, commands_processed: 2 });
    expect(Math.round(Number(health['average_response_time']) / 1_000)).toBe(3);
  });

  test('has one runner at a time', async ({ as, clock }) => {
    const first = await runnerOf(as('ada'), 'claude-1');
    await expect(runnerOf(as('ada'), 'CLAUDE-1')).rejects.toMatchObject({ code: 'lock_held' });

    await clock.advance({ seconds: 46 });
    const second = await runnerOf(as('ada'), 'claude-1');

    expect(second.id).toBe(first.id);
    await expect(first.beat()).rejects.toMatchObject({ code: 'lock_lost' });
    await expect(first.claim()).rejects.toMatchObject({ code: 'lock_lost' });
    await second.beat();
  });
});

describe('a command', () => {
  test('reaches an agent, is done, and ends with its last run', async ({ as }) => {
    const one = await runnerOf(as('ada'), 'claude-1');
    const two = await runnerOf(as('ada'), 'claude-2');
    const sent = await call(as('ada'), 'send_command', { to: ['claude-1', 'claude-2'], content: 'Look at it.' });
    expect(sent).toMatchObject({ status: 'queued', runs: [{ status: 'queued' }, { status: 'queued' }] });

    const first = await claimed(one);
    expect(first).toMatchObject({
      deliver: 'turn',
      command: { id: sent.id, content: 'Look at it.', by_person: false },
    });
    await one.report(first.run.id, first.lock_token, [{ type: 'run.delivered', data: { path: 'stdin' } }]);
    expect(await call(as('ada'), 'get_command', { command: sent.id })).toMatchObject({ status: 'executing' });
    await one.report(first.run.id, first.lock_token, [completed]);
    // A repeat of its end changes nothing.
    await one.report(first.run.id, first.lock_token, [completed]);
    expect(await call(as('ada'), 'get_command', { command: sent.id })).toMatchObject({ status: 'executing' });

    const second = await claimed(two);
    await two.report(second.run.id, second.lock_token, [completed]);

    expect(await call(as('ada'), 'get_command', { command: sent.id })).toMatchObject({
      status: 'completed',
      runs: [
        { agent: 'claude-1', status: 'completed', delivery_path: 'stdin' },
        { agent: 'claude-2', status: 'completed' },
      ],
    });
    expect(await one.claim()).toEqual({ nothing: 'nothing waits for it' });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is taken by priority, then by age', async ({ as }) => {
    const runner = await runnerOf(as('ada'), 'claude-1');
    const send = (content: string, priority: number) =>
      call(as('ada'), 'send_command', { to: ['claude-1'], content, priority });
    await send('a', 50);
    await send('b', 90);
    await send('c', 50);

    const order: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      const { run, lock_token, command } = await claimed(runner);
      order.push(command.content);
      expect(await runner.claim([run.id])).toHaveProperty('nothing');
      await runner.report(run.id, lock_token, [completed]);
    }

    expect(order).toEqual(['b', 'a', 'c']);
  });

  test('is taken once, however many ask', async ({ as }) => {
    const runner = await runnerOf(as('ada'), 'claude-1', { config: { runs_at_once: 8 } });
    for (let n = 0; n < 4; n += 1) await call(as('ada'), 'send_command', { to: ['all'], content: `${n}` });

    const found = await Promise.all(Array.from({ length: 12 }, () => runner.claim([])));

    // Each claim names no run, so those before it count as lost and go back: none is held twice.
    const held = found.flatMap((answer) => ('run' in answer ? [`${answer.run.id} ${answer.lock_token}`] : []));
    expect(new Set(held).size).toBe(held.length);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('goes back to the queue when its runner ended before it was delivered, else ends as lost', async ({ as }) => {
    const runner = await runnerOf(as('ada'), 'claude-1');
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'a' });
    const first = await claimed(runner);

    const again = await claimed(runner);
    expect(again.run).toMatchObject({ id: first.run.id, attempt: 2 });
    await expect(runner.report(first.run.id, first.lock_token, [completed])).rejects.toMatchObject({
      code: 'lock_lost',
    });

    await runner.report(again.run.id, again.lock_token, [{ type: 'run.delivered', data: { path: 'stdin' } }]);
    expect(await runner.claim()).toHaveProperty('nothing');
    expect(await call(as('ada'), 'list_runs')).toMatchObject({ runs: [{ status: 'failed', end_reason: 'lost' }] });
    expect(await call(as('ada'), 'list_commands')).toMatchObject({ commands: [{ status: 'failed' }] });
  });

  test('is cancelled: what waits ends, what runs is interrupted', async ({ as }) => {
    const one = await runnerOf(as('ada'), 'claude-1');
    await runnerOf(as('ada'), 'claude-2');
    const sent = await call(as('ada'), 'send_command', { to: ['type:claude'], content: 'a' });
    const { run, lock_token } = await claimed(one);

    const cancelled = await call(as('ada'), 'cancel_command', { command: sent.id, reason: 'Not needed.' });

    expect(cancelled).toMatchObject({
      status: 'cancelled',
      runs: [
        { status: 'running', interrupt_requested: true },
        { status: 'cancelled', end_reason: 'cancelled' },
      ],
    });
    expect(await one.beat({ runs: [{ run: run.id, lock_token }] })).toMatchObject({
      runs: [{ state: 'interrupt', reason: 'Not needed.' }],
    });
    await one.report(run.id, lock_token, [
      { type: 'run.finished', data: { status: 'cancelled', end_reason: 'interrupted' } },
    ]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test.for([
    ['its runner ends', async (runner: Runner) => runner.claim()],
    [
      'its runner gives it back',
      async (runner: Runner, { run, lock_token }: { run: { id: string }; lock_token: number }) =>
        runner.report(run.id, lock_token, [{ type: 'run.requeued' }]),
    ],
  ] as const)('that was to be interrupted does not come back when %s', async ([, leave], { as }) => {
    const runner = await runnerOf(as('ada'), 'claude-1');
    const sent = await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'a', repeatable: true });
    const held = await claimed(runner);
    await call(as('ada'), 'interrupt_run', { run: held.run.id, reason: 'Enough.' });

    await leave(runner, held);

    expect(await call(as('ada'), 'get_command', { command: sent.id })).toMatchObject({
      status: 'cancelled',
      runs: [{ status: 'cancelled', end_reason: 'interrupted', error: 'Enough.' }],
    });
    expect(await runner.claim()).toEqual({ nothing: 'nothing waits for it' });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('says why it does not start', async ({ as, clock }) => {
    const runner = await runnerOf(as('ada'), 'claude-1');
    const why = async () => {
      const { runs } = await call(as('ada'), 'list_queue');
      return (runs as { status: string; why?: string }[]).filter(({ status }) => status === 'queued')[0]?.why;
    };
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'a', ttl_seconds: 100 });
    expect(await why()).toBe('claude-1 takes it next');

    await call(as('ada'), 'change_agent', { agent: 'claude-1', change: 'stop', reason: 'Wait.' });
    expect(await why()).toBe('claude-1 is stopped by ada: Wait.');
    expect(await runner.claim()).toHaveProperty('nothing');
    await call(person(as('ada')), 'change_agent', { agent: 'claude-1', change: 'go_on' });

    await call(person(as('ada')), 'stop_agents', { reason: 'Smoke.' });
    expect(await why()).toBe('all agents of the workspace are stopped: Smoke.');
    expect(await runner.beat()).toMatchObject({ stopped: expect.stringMatching(/Smoke/) });
    expect(await runner.claim()).toHaveProperty('nothing');
    await call(person(as('ada')), 'stop_agents', { stopped: false });

    await clock.advance({ seconds: 40 });
    expect(await why()).toMatch(/^claude-1 is not heard of since/);
    await clock.advance({ seconds: 61 });
    expect(await why()).toBe('it has expired');

    await runner.beat();
    expect(await runner.claim()).toHaveProperty('nothing');
    expect(await call(as('ada'), 'list_runs')).toMatchObject({
      runs: [{ status: 'cancelled', end_reason: 'expired' }],
    });
    expect(await call(as('ada'), 'list_commands')).toMatchObject({ commands: [{ status: 'cancelled' }] });
  });

  test('with a task claims it, under one lease', async ({ as, clock }) => {
    await call(as('ada'), 'create_project', { slug: 'web', name: 'Web' });
    await call(as('ada'), 'create_tasks', { project: 'web', tasks: [{ title: 'a' }] });
    const runner = await runnerOf(as('ada'), 'claude-1');
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'Do it.', task: 'web-1' });

    const { run, lock_token } = await claimed(runner);

    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({
      status: 'in_progress',
      locked_by: 'claude-1',
    });
    await clock.advance({ seconds: 100 });
    await runner.beat({ runs: [{ run: run.id, lock_token }] });
    await clock.advance({ seconds: 100 });
    expect(await runner.beat({ runs: [{ run: run.id, lock_token }] })).toMatchObject({ runs: [{ state: 'mine' }] });

    // The agent gives the task back before its run ends.
    await call(as('claude-1'), 'complete_task', { task: 'web-1', lock_token, summary: 'Done.' });
    await clock.advance({ seconds: 100 });
    expect(await runner.beat({ runs: [{ run: run.id, lock_token }] })).toMatchObject({ runs: [{ state: 'mine' }] });
    await runner.report(run.id, lock_token, [completed]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('joins a running turn only where the agent can', async ({ as }) => {
    const able = await runnerOf(as('ada'), 'claude-1', { config: { modes: ['turn', 'steer', 'interrupt'] } });
    const unable = await runnerOf(as('ada'), 'gemini-1');
    await call(as('ada'), 'send_command', { to: ['all'], content: 'a' });
    const a = await claimed(able);
    const b = await claimed(unable);
    await call(as('ada'), 'send_command', { to: ['all'], content: 'b', mode: 'steer' });
    await call(as('ada'), 'send_command', { to: ['all'], content: 'c', mode: 'turn', priority: 100 });

    expect(await claimed(able, [a.run.id])).toMatchObject({ deliver: 'steer', command: { content: 'b' } });
    expect(await unable.claim([b.run.id])).toHaveProperty('nothing');
    await unable.report(b.run.id, b.lock_token, [completed]);
    const c = await claimed(unable);
    await unable.report(c.run.id, c.lock_token, [completed]);
    expect(await claimed(unable)).toMatchObject({ deliver: 'turn', command: { content: 'b' } });
  });

  test('is refused where nobody would take it', async ({ as }) => {
    const send = (given: object) => call(as('ada'), 'send_command', { content: 'a', ...given });
    await expect(send({ to: ['all'] })).rejects.toMatchObject({ code: 'not_found' });
    await expect(send({ to: ['claude-9'] })).rejects.toMatchObject({ code: 'not_found' });
    await expect(send({ to: [] })).rejects.toMatchObject({ code: 'invalid_input' });
  });
});
