import { describe, expect } from 'vitest';
import { getControl, reportRun } from '../../src/services/runner.ts';
import { callerOf, givenOf } from '../support/callers.ts';
import { call, person } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { claimed, completed, runnerOf } from '../support/runners.ts';
import { test } from '../support/world.ts';

const NAME = 'claude-code#7f3a';
const ENDED = 'Your command was interrupted: "Enough.". Stop work on it.';

describe('an agent that a person has started', () => {
  test('is there once its hook speaks, and is said to be reached by hooks alone', async ({ as, clock }) => {
    const hook = callerOf(as(NAME), { config: { wakes: true } });

    expect(await hook.begin()).toHaveProperty('nothing');

    const { agents } = await call(as('ada'), 'list_agents');
    expect(agents).toMatchObject([{ name: NAME, state: 'online', driver: 'hook', modes: ['turn', 'steer'] }]);
    expect(agents).toMatchObject([{ reach: 'hooks only: delivered at the next tool border; woken when idle' }]);
    await clock.advance({ seconds: 901 });
    expect(await call(as('ada'), 'list_agents')).toMatchObject({ agents: [{ state: 'offline' }] });
    await hook.border();
    expect(await call(as('ada'), 'list_agents')).toMatchObject({ agents: [{ state: 'online' }] });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('takes at a tool border what joins its turn, and the rest when the turn has ended', async ({ as }) => {
    const hook = callerOf(as(NAME));
    await hook.begin();
    const send = (content: string, mode: string) => call(as('ada'), 'send_command', { to: [NAME], content, mode });
    const turn = await send('turn', 'turn');
    await send('interrupt', 'interrupt');
    await send('steer', 'steer');
    expect(turn).toMatchObject({ runs: [{ why: `${NAME} takes it at the end of its turn` }] });

    const joined = [givenOf(await hook.border()), givenOf(await hook.border())];

    expect(joined).toMatchObject([
      { command: { content: 'interrupt' }, deliver: 'steer' },
      { command: { content: 'steer' }, deliver: 'steer' },
    ]);
    expect(await hook.border()).toHaveProperty('nothing');
    for (const given of joined) await hook.told(given, 'hook PostToolBatch');
    const last = givenOf(await hook.end('All read.'));
    expect(last).toMatchObject({ command: { content: 'turn' }, deliver: 'turn' });
    await hook.told(last);
    expect(await hook.end('All done.')).toEqual({ nothing: 'nothing waits for it' });
    const { runs } = await call(as('ada'), 'list_runs');
    expect(runs).toMatchObject([
      { status: 'completed', result: 'All read.', delivery_path: 'hook PostToolBatch' },
      { status: 'completed', result: 'All read.' },
      { status: 'completed', result: 'All done.', delivery_path: 'hook Stop' },
    ]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is given a command once, however many of its hooks ask', async ({ as }) => {
    const hook = callerOf(as(NAME));
    await hook.begin();
    for (const content of ['a', 'b']) await call(as('ada'), 'send_command', { to: [NAME], content, mode: 'steer' });

    const answers = await Promise.all(Array.from({ length: 8 }, () => hook.border()));

    const given = answers.flatMap((answer) => ('command' in answer ? [answer.command.content] : []));
    expect(given.sort()).toEqual(['a', 'b']);
  });

  test('is not woken for what it has already', async ({ as }) => {
    const hook = callerOf(as(NAME));
    await hook.begin();
    await call(as('ada'), 'send_command', { to: [NAME], content: 'x' });
    const isQueued = async () => (await getControl(as(NAME), { agent: NAME, held: [] })).queued;
    expect(await isQueued()).toBe(true);

    await hook.next();

    expect(await isQueued()).toBe(false);
  });

  test('is told again what a hook took and could not say', async ({ as, clock }) => {
    const hook = callerOf(as(NAME));
    await hook.begin();
    await call(as('ada'), 'send_command', { to: [NAME], content: 'x' });
    const first = givenOf(await hook.next());
    expect(await hook.next()).toHaveProperty('nothing');

    await clock.advance({ seconds: 6 });
    const again = givenOf(await hook.border());

    expect(again).toMatchObject({ again: true, lock_token: first.lock_token, run: { id: first.run.id } });
    await hook.told(again);
    await clock.advance({ seconds: 6 });
    expect(await hook.border()).toHaveProperty('nothing');
  });

  test('is told that its command was interrupted, at its next tool border', async ({ as }) => {
    const hook = callerOf(as(NAME));
    await hook.begin();
    await call(as('ada'), 'send_command', { to: [NAME], content: 'x' });
    const given = givenOf(await hook.next());
    await hook.told(given);
    await call(as('ada'), 'interrupt_run', { run: given.run.id, reason: 'Enough.' });

    expect(await hook.border()).toEqual({ interrupt: ENDED });
    expect(await call(as('ada'), 'list_runs')).toMatchObject({
      runs: [{ status: 'cancelled', end_reason: 'interrupted', error: 'Enough.' }],
    });
    expect(await hook.border()).toHaveProperty('nothing');
  });

  test('is stopped with all others', async ({ as }) => {
    const hook = callerOf(as(NAME));
    await hook.begin();
    await call(as('ada'), 'send_command', { to: [NAME], content: 'x' });
    await call(as('ada'), 'stop_agents', { reason: 'Night' });

    expect(await hook.next()).toEqual({ nothing: 'all agents of the workspace are stopped: Night' });
  });

  test('takes its task for as long as any other agent', async ({ as, clock }) => {
    const hook = callerOf(as(NAME));
    await hook.begin();
    await call(as('ada'), 'create_project', { slug: 'web', name: 'Web' });
    await call(as('ada'), 'create_tasks', { project: 'web', tasks: [{ title: 'A' }] });
    await call(as('ada'), 'send_command', { to: [NAME], content: 'x', task: 'web-1' });

    const { lock_token } = givenOf(await hook.next());

    await clock.advance({ seconds: 1_800 });
    await expect(call(as('bob'), 'claim_task', { task: 'web-1' })).rejects.toMatchObject({ code: 'lock_held' });
    await call(as(NAME), 'complete_task', { task: 'web-1', lock_token, summary: 'Done.' });
  });

  test('speaks for itself alone, and its owner for it', async ({ as, asStranger }) => {
    const other = callerOf(as('grace'), { name: NAME });

    await expect(other.begin()).rejects.toMatchObject({ code: 'forbidden' });

    const hook = callerOf(as(NAME));
    await hook.begin();
    await call(as('ada'), 'send_command', { to: [NAME], content: 'x' });
    const { run, lock_token } = givenOf(await hook.next());
    const ended = { run: run.id, lock_token, events: [completed] };
    await expect(reportRun(as('grace'), ended)).rejects.toMatchObject({ code: 'lock_lost' });
    await expect(reportRun(asStranger(NAME), ended)).rejects.toMatchObject({ code: 'not_found' });
    await reportRun(as(NAME), ended);
  });

  test.for([
    ['a hook', { driver: 'pipe' }, {}],
    ['what it takes', {}, { takes: 'all' }],
    ['a turn', {}, { turn: 'over' }],
  ] as const)('is refused what says no form of %s', async ([_, about, asked], { as }) => {
    const hook = callerOf(as(NAME), about as object);

    await expect(hook.next(asked)).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('is retired by the next one, a day after it was last seen', async ({ as, clock }) => {
    await callerOf(as(NAME)).begin();
    await call(as('ada'), 'send_command', { to: [NAME], content: 'x' });
    await clock.advance({ seconds: 86_401 });

    await callerOf(as('codex#0001')).begin();

    const { agents } = await call(as('ada'), 'list_agents');
    expect(agents).toMatchObject([{ name: 'codex#0001' }]);
    expect(await call(as('ada'), 'list_commands')).toMatchObject({ commands: [{ status: 'cancelled' }] });
  });
});

describe('a hook and a runner', () => {
  test('are never both the same agent', async ({ as, clock }) => {
    const hook = callerOf(as('claude-1'));
    const runner = await runnerOf(as('claude-1'), 'claude-1');

    await expect(hook.next()).rejects.toMatchObject({ code: 'lock_held' });

    await clock.advance({ seconds: 46 });
    expect(await hook.next()).toHaveProperty('nothing');
    await expect(runnerOf(as('claude-1'), 'claude-1')).rejects.toMatchObject({ code: 'lock_held' });
    await expect(runner.beat()).rejects.toMatchObject({ code: 'lock_lost' });
    await clock.advance({ seconds: 46 });
    await runnerOf(as('claude-1'), 'claude-1');
  });

  test('at once take a command once', async ({ as }) => {
    const hook = callerOf(as('claude-1'));
    const answers = await Promise.allSettled([hook.begin(), runnerOf(as('claude-1'), 'claude-1')]);
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'x' });

    expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('are told apart where a runner has left runs behind', async ({ as, clock }) => {
    const runner = await runnerOf(as('claude-1'), 'claude-1');
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'x' });
    const { run, lock_token } = await claimed(runner);
    await runner.report(run.id, lock_token, [{ type: 'run.delivered', data: { path: 'stdin' } }]);
    await clock.advance({ seconds: 46 });

    await callerOf(as('claude-1')).next();

    expect(await call(as('ada'), 'list_runs')).toMatchObject({ runs: [{ status: 'failed', end_reason: 'lost' }] });
  });
});

describe('an agent that asks by its tools', () => {
  test('is registered, given the next command, and ends it', async ({ as }) => {
    expect(await call(as(NAME), 'next_command')).toEqual({});
    const sent = await call(person(as('ada')), 'send_command', { to: [NAME], content: 'Look.' });
    expect(sent).toMatchObject({ runs: [{ why: `${NAME} takes it when it asks for the next` }] });

    const { given } = (await call(as(NAME), 'next_command')) as unknown as {
      given: { run: { id: string }; lock_token: number };
    };

    expect(given).toMatchObject({ command: { content: 'Look.', by_person: true } });
    const held = { run: given.run.id, lock_token: given.lock_token };
    expect(await call(as(NAME), 'next_command')).toMatchObject({ again: true, given: { run: { id: held.run } } });
    await call(as(NAME), 'update_command', { ...held, text: 'Half way.' });
    await call(as(NAME), 'update_command', { ...held, text: 'Nearly.' });
    expect(await call(as('ada'), 'get_output', { run: held.run })).toMatchObject({
      pieces: [{ text: 'Half way.\n' }, { text: 'Nearly.\n' }],
    });
    await call(as(NAME), 'update_command', { ...held, status: 'completed', text: 'All is well.' });
    expect(await call(as(NAME), 'next_command')).toEqual({});
    expect(await call(as('ada'), 'get_command', { command: sent.id })).toMatchObject({
      status: 'completed',
      runs: [{ result: 'All is well.', delivery_path: 'next_command' }],
    });
  });

  test('waits for a command that comes meanwhile', { timeout: 30_000 }, async ({ as }) => {
    await call(as(NAME), 'next_command');
    const waiting = call(as(NAME), 'next_command', { wait_seconds: 20 });
    await call(as('ada'), 'send_command', { to: [NAME], content: 'Now.' });

    expect(await waiting).toMatchObject({ given: { command: { content: 'Now.' } } });
  });

  test('keeps its hooks, where it has some', async ({ as }) => {
    await callerOf(as(NAME)).begin();

    await call(as(NAME), 'next_command');

    expect(await call(as('ada'), 'list_agents')).toMatchObject({ agents: [{ driver: 'hook' }] });
  });

  test('is told of failure and interruption', async ({ as }) => {
    await call(as(NAME), 'next_command');
    for (const content of ['a', 'b']) await call(as('ada'), 'send_command', { to: [NAME], content });
    type Taken = { given: { run: { id: string }; lock_token: number } };
    const a = ((await call(as(NAME), 'next_command')) as unknown as Taken).given;
    await call(as(NAME), 'update_command', {
      ...{ run: a.run.id, lock_token: a.lock_token, status: 'failed', text: 'No network.' },
    });
    const b = ((await call(as(NAME), 'next_command')) as unknown as Taken).given;
    await call(as('ada'), 'interrupt_run', { run: b.run.id, reason: 'Enough.' });

    expect(await call(as(NAME), 'next_command')).toEqual({ interrupted: ENDED });
    const { runs } = await call(as('ada'), 'list_runs');
    expect(runs).toMatchObject([
      { status: 'cancelled', end_reason: 'interrupted' },
      { status: 'failed', end_reason: 'error', error: 'No network.' },
    ]);
  });
});
