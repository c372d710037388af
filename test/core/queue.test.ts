import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { RunBrief } from '../../src/events/runs.ts';
import { getControl, registerAgent } from '../../src/services/runner.ts';
import { callerOf } from '../support/callers.ts';
import { call, plan } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { claimed, completed, runnerOf } from '../support/runners.ts';
import { test } from '../support/world.ts';

const gate = { gates: [{ on: 'claim', require: { artifacts: ['document'] } }] };
const why = 'task web-1 needs an artifact of type document (add_artifact)';

test('a run that went back to the queue is not given again to who still has it', async ({ as }) => {
  const runner = await runnerOf(as('ada'), 'claude-1', { config: { runs_at_once: 2 } });
  await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'x', priority: 90 });
  const { run, lock_token } = await claimed(runner);
  await runner.report(run.id, lock_token, [{ type: 'run.requeued', data: {} }]);

  expect(await runner.beat({ runs: [{ run: run.id, lock_token }] })).toMatchObject({
    runs: [{ state: 'lost' }],
    queued: false,
  });
  expect(await runner.claim([run.id])).toEqual({ nothing: 'nothing waits for it' });
  await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'y', priority: 1 });
  const next = await claimed(runner, [run.id]);
  expect(next.command.content).toBe('y');
  expect(await claimed(runner, [next.run.id])).toMatchObject({ run: { id: run.id, attempt: 2 } });
});

describe('a run that no claim would start', () => {
  test('because of a gate says so, and the next of the queue is taken before it', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }], gate);
    const runner = await runnerOf(as('ada'), 'claude-1');
    const sent = await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'x', task: 'web-1' });
    expect(sent).toMatchObject({ runs: [{ why }] });
    expect(await runner.beat()).toMatchObject({ queued: false });
    expect(await runner.claim()).toHaveProperty('nothing');

    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'y' });
    const { run, lock_token, command } = await claimed(runner);
    expect(command.content).toBe('y');
    await runner.report(run.id, lock_token, [completed]);

    await call(as('ada'), 'add_artifact', { task: 'web-1', type: 'document', ref: 'design.md' });
    expect(await claimed(runner)).toMatchObject({ command: { id: sent.id } });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('for a held task keeps none that comes after it from its start, however many there are', async ({ as, sql }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const runner = await runnerOf(as('ada'), 'claude-1');
    await call(as('bob'), 'claim_task', { task: 'web-1' });
    const first = await call(as('ada'), 'send_command', {
      to: ['claude-1'],
      content: 'x',
      task: 'web-1',
      priority: 90,
    });
    const { tenant_id } = as('ada').actor;
    // As many more of that command: sending each would take a minute.
    const copied = `insert into public.agent_runs select (jsonb_populate_record(r, jsonb_build_object('id', app.uuid_v7()))).*
      from public.agent_runs r, generate_series(1, $3) where r.tenant_id = $1 and r.command_id = $2`;
    await sql.query(copied, [tenant_id, first.id, 20_000]);
    await sql.query('analyze public.agent_runs');
    expect(await runner.beat()).toMatchObject({ queued: false });

    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'y' });
    const at = performance.now();
    expect(await runner.beat()).toMatchObject({ queued: true });
    expect(await claimed(runner)).toMatchObject({ command: { content: 'y' } });
    expect(performance.now() - at).toBeLessThan(1_500);
  });

  test('keeps hooks and tools from nothing that comes after it', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }], gate);
    const hook = callerOf(as('claude-code#7f3a'));
    await hook.begin();
    await call(as('ada'), 'send_command', { to: [hook.name], content: 'x', task: 'web-1' });
    expect(await getControl(as(hook.name), { agent: hook.name, held: [] })).toMatchObject({ queued: false });

    await call(as('ada'), 'send_command', { to: [hook.name], content: 'y' });
    expect(await getControl(as(hook.name), { agent: hook.name, held: [] })).toMatchObject({ queued: true });
    expect(await hook.next()).toMatchObject({ command: { content: 'y' } });
  });

  test('because its project is archived waits until it is taken back', async ({ as, sql, people: { owner } }) => {
    await plan(as('ada'), []);
    const runner = await runnerOf(as('ada'), 'claude-1');
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'x', project: 'web' });
    // As one that was sent at the moment of the archiving.
    const archive = (at: string) =>
      sql.query(`update public.projects set archived_at = ${at} where tenant_id = $1`, [owner.tenant_id]);
    await archive('now()');

    expect((await call(as('ada'), 'list_queue')).runs).toMatchObject([{ why: 'the project web is archived' }]);
    expect(await runner.claim()).toHaveProperty('nothing');

    await archive('null');
    await claimed(runner);
  });

  test('because another was quicker to its task is passed over', async ({ as }) => {
    await plan(
      as('ada'),
      Array.from({ length: 8 }, (_, n) => ({ title: `${n}` })),
    );
    for (let n = 1; n <= 8; n += 1) {
      const runner = await runnerOf(as('ada'), `claude-${n}`);
      await call(as('ada'), 'send_command', { to: [runner.name], content: 'x', task: `web-${n}` });

      const [given, taken] = await Promise.allSettled([
        runner.claim(),
        call(as('bob'), 'claim_task', { task: `web-${n}` }),
      ]);

      expect(given).toMatchObject({
        status: 'fulfilled',
        value: taken.status === 'fulfilled' ? { nothing: expect.any(String) } : { run: { task: `web-${n}` } },
      });
    }
  });
});

describe('a command that interrupts', () => {
  const waiting = async (as: (name: string) => Context) => {
    const { runs } = await call(as('ada'), 'list_queue');
    return (runs as RunBrief[]).filter(({ status }) => status === 'queued').map(({ mode, why }) => `${mode}: ${why}`);
  };

  test('comes first where its agent cannot interrupt, in the queue and in lists, and says so', async ({
    as,
    sql,
    people: { owner },
  }) => {
    const runner = await runnerOf(as('ada'), 'claude-1', { config: { modes: ['turn'] } });
    const send = (content: string, given: object = {}) =>
      call(as('ada'), 'send_command', { to: ['claude-1'], content, ...given });
    await send('at work');
    const { run, lock_token } = await claimed(runner);
    await send('urgent', { priority: 100 });
    await send('plain');
    expect(await send('stop that', { mode: 'interrupt', priority: 1 })).toMatchObject({
      runs: [{ why: 'claude-1 is busy; taken as a turn: pipe cannot interrupt' }],
    });

    expect(await waiting(as)).toEqual([
      'interrupt: claude-1 is busy; taken as a turn: pipe cannot interrupt',
      'turn: claude-1 is busy',
      'turn: claude-1 is busy',
    ]);
    const { rows } = await sql.query(
      `select content from public.command_queue where tenant_id = $1 and position is not null order by position`,
      [owner.tenant_id],
    );
    expect(rows.map(({ content }) => content)).toEqual(['stop that', 'urgent', 'plain']);
    await runner.report(run.id, lock_token, [completed]);
    expect(await waiting(as)).toEqual([
      'interrupt: claude-1 takes it next; taken as a turn: pipe cannot interrupt',
      'turn: 1 of the queue comes first',
      'turn: 2 of the queue come first',
    ]);
    expect(await claimed(runner)).toMatchObject({ deliver: 'turn', command: { content: 'stop that' } });
  });

  test('that steers waits for no turn, which it does not wait for either', async ({ as }) => {
    const runner = await runnerOf(as('ada'), 'claude-1', { config: { modes: ['turn', 'steer'] } });
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'at work' });
    await claimed(runner);
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'a', priority: 100 });
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'b', mode: 'steer', priority: 1 });

    expect(await waiting(as)).toEqual(['turn: claude-1 is busy', 'steer: claude-1 takes it next']);
  });

  test('comes before what steers where its agent can', async ({ as }) => {
    const runner = await runnerOf(as('ada'), 'claude-1', { config: { modes: ['turn', 'steer', 'interrupt'] } });
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'at work' });
    const { run } = await claimed(runner);
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'a', mode: 'steer', priority: 100 });
    await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'b', mode: 'interrupt' });

    expect(await claimed(runner, [run.id])).toMatchObject({ deliver: 'interrupt', command: { content: 'b' } });
  });

  test.for([
    ['claude', { modes: ['turn'], runs_at_once: 2 }, 'interrupt', 'of several runs at once none is interrupted'],
    ['claude', { modes: ['turn', 'interrupt'] }, 'steer', 'each of its runs has a process of its own'],
    ['pty', { modes: ['turn', 'interrupt'] }, 'steer', 'pty cannot steer'],
  ] as const)('or steers says why it is taken as a turn: %s', async ([driver, config, mode, reason], { as }) => {
    const about = { name: 'heron-1', type: 'other', driver, host_machine: 'box', config };
    await registerAgent(as('ada'), { agent: about });
    expect(await call(as('ada'), 'send_command', { to: ['heron-1'], content: 'x', mode })).toMatchObject({
      runs: [{ why: `heron-1 takes it next; taken as a turn: ${reason}` }],
    });
  });
});

describe('a command for all', () => {
  test('leaves out sessions that are over, unless they are named', async ({ as, clock }) => {
    await callerOf(as('claude-code#7f3a')).begin();
    await clock.advance({ seconds: 901 });
    await callerOf(as('claude-code#0001')).begin();
    const runner = await runnerOf(as('ada'), 'claude-1');
    await runner.beat({ leaving: true });
    const sentTo = async (to: string) => {
      const { runs } = await call(as('ada'), 'send_command', { to: [to], content: 'x' });
      return (runs as { agent: string }[]).map(({ agent }) => agent).sort();
    };

    // A runner comes back under its name.
    expect(await sentTo('all')).toEqual(['claude-1', 'claude-code#0001']);
    expect(await sentTo('type:claude')).toEqual(['claude-1', 'claude-code#0001']);
    expect(await sentTo('claude-code#7f3a')).toEqual(['claude-code#7f3a']);
  });
});
