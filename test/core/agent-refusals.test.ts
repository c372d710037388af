import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { DomainError } from '../../src/errors.ts';
import { newId } from '../../src/events/ids.ts';
import { END_REASONS } from '../../src/events/runs.ts';
import { callerOf } from '../support/callers.ts';
import { call, person } from '../support/calls.ts';
import { append, verify } from '../support/commands.ts';
import { claimed, completed, runnerOf } from '../support/runners.ts';
import { test as base } from '../support/world.ts';

const forbidden = { code: 'forbidden' };
const inPerson = { code: 'forbidden', message: 'A stop is taken back by a person, not by an agent.' };
const invalid = { code: 'invalid_input' };
const illegal = { code: 'illegal_transition' };
const lost = { code: 'lock_lost' };
const unknown = { code: 'not_found' };

/** `member` is another person in the same workspace. */
const test = base.extend<{ member: Context }>({
  member: async ({ as, asStranger, sql, people: { owner, stranger } }, use) => {
    await sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'member')`, [
      owner.tenant_id,
      stranger.user_id,
    ]);
    const eve = asStranger('eve');
    await use({ ...as('eve'), actor: { ...eve.actor, tenant_id: owner.tenant_id ?? '' } });
  },
});

const send = (ctx: Context, given: object) => call(ctx, 'send_command', { content: 'x', ...given });
const changed = (agent: string, type: string, data: object = {}) => [
  { stream: `agent:${agent}`, type: `agent.${type}`, data },
];
const finished = { type: 'run.finished', data: { status: 'completed', end_reason: 'completed' } };

describe('an agent', () => {
  test('that is there under a name keeps others from it', async ({ as, member }) => {
    const { id } = await runnerOf(as('ada'), 'claude-1');
    await runnerOf(as('ada'), 'claude-2');

    await expect(runnerOf(member, 'claude-1')).rejects.toMatchObject({ code: 'already_exists' });
    await expect(append(as('ada'), changed(id, 'renamed', { name: 'Claude-2' }))).rejects.toMatchObject({
      code: 'already_exists',
    });
    await expect(append(as('ada'), changed(id, 'renamed', { name: 'type:x' }))).rejects.toMatchObject(invalid);
    await expect(runnerOf(as('ada'), newId())).rejects.toMatchObject(invalid);
    await expect(runnerOf(as('ada'), '-rf')).rejects.toMatchObject({
      ...invalid,
      message: 'An agent cannot be called -rf.',
    });
    await expect(append(as('ada'), changed(id, 'renamed', { name: '--all' }))).rejects.toMatchObject(invalid);
  });

  test('is renamed, retired and let go on by its owner and administrators alone, and stopped by every member', async ({
    as,
    member,
  }) => {
    const { id } = await runnerOf(as('ada'), 'claude-1');

    await expect(append(member, changed(id, 'renamed', { name: 'x' }))).rejects.toMatchObject(forbidden);
    await expect(append(member, changed(id, 'retired'))).rejects.toMatchObject(forbidden);
    await append(member, changed(id, 'paused', { reason: 'Smoke.' }));
    await expect(append(person(member), changed(id, 'resumed'))).rejects.toMatchObject(forbidden);
    await expect(append(as('ada'), changed(id, 'resumed'))).rejects.toMatchObject(inPerson);
    await append(person(as('ada')), changed(id, 'resumed'));
  });

  test('that is retired does nothing more; another may have its name', async ({ as }) => {
    const first = await runnerOf(as('ada'), 'claude-1');
    await append(as('ada'), changed(first.id, 'retired'));

    await expect(append(as('ada'), changed(first.id, 'paused'))).rejects.toMatchObject(illegal);
    await expect(first.claim()).rejects.toMatchObject(unknown);
    await expect(send(as('ada'), { to: [first.id] })).rejects.toMatchObject(forbidden);
    const second = await runnerOf(as('ada'), 'claude-1');
    expect(second.id).not.toBe(first.id);
  });

  test('that is retired leaves nothing open', async ({ as }) => {
    const runner = await runnerOf(as('ada'), 'claude-1');
    const one = await send(as('ada'), { to: ['claude-1'] });
    const two = await send(as('ada'), { to: ['claude-1'] });
    await claimed(runner);

    await append(as('ada'), changed(runner.id, 'retired'));

    expect(await call(as('ada'), 'get_command', { command: one.id })).toMatchObject({
      status: 'failed',
      runs: [{ status: 'failed', end_reason: 'lost' }],
    });
    expect(await call(as('ada'), 'get_command', { command: two.id })).toMatchObject({ status: 'cancelled' });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('keeps the hooks of others from it', async ({ as, member }) => {
    await callerOf(as('claude-1')).begin();

    const other = callerOf({ ...member, actor: { ...member.actor, agent: 'claude-1' } });
    await expect(other.begin()).rejects.toMatchObject({ code: 'already_exists' });
  });

  test('is spoken for by the runner of its owner alone', async ({ as, member }) => {
    const { db } = as('ada');
    const { token } = await runnerOf(as('ada'), 'claude-1');

    const claim = db.call('claim_run', { agent: 'claude-1', token }, member.actor);
    await expect(claim).rejects.toMatchObject(forbidden);
    await expect(db.call('beat_agent', { agent: 'claude-1', token: token + 1 }, as('ada').actor)).rejects.toMatchObject(
      lost,
    );
    await expect(db.call('beat_agent', { agent: 'none', token }, as('ada').actor)).rejects.toMatchObject(unknown);
    await expect(
      db.call('beat_agent', { agent: 'claude-1', token, beat: { status: 'fine' } }, as('ada').actor),
    ).rejects.toMatchObject(invalid);
  });
});

describe('a command', () => {
  test('goes to another person’s agent only where its runner takes such commands', async ({ as, member }) => {
    await runnerOf(as('ada'), 'mine');
    await runnerOf(as('ada'), 'shared', { config: { accepts: 'workspace' } });

    await expect(send(member, { to: ['mine'] })).rejects.toMatchObject(forbidden);
    expect(await send(member, { to: ['all'] })).toMatchObject({ runs: [{ agent: 'shared' }] });
  });

  test('goes to an agent of a project only for this project', async ({ as }) => {
    for (const slug of ['web', 'zoo']) await call(as('ada'), 'create_project', { slug, name: slug });
    await runnerOf(as('ada'), 'heron', { project: 'zoo' });

    await expect(send(as('ada'), { to: ['heron'] })).rejects.toMatchObject(forbidden);
    await expect(send(as('ada'), { to: ['heron'], project: 'web' })).rejects.toMatchObject(forbidden);
    await expect(send(as('ada'), { to: ['all'], project: 'web' })).rejects.toMatchObject(unknown);
    expect(await send(as('ada'), { to: ['heron'], project: 'zoo' })).toMatchObject({ project: 'zoo' });
  });

  test('is refused without text, with bad limits, and for too many', async ({ as }) => {
    await runnerOf(as('ada'), 'claude-1');
    const sent = (data: object) =>
      append(as('ada'), [{ stream: `command:${newId()}`, type: 'command.sent', data: { to: ['all'], ...data } }]);

    await expect(sent({})).rejects.toMatchObject(invalid);
    await expect(sent({ content: 'x', to: [] })).rejects.toMatchObject(invalid);
    await expect(sent({ content: 'x', execution_constraints: { time_limit_ms: 0 } })).rejects.toMatchObject(invalid);
    await expect(sent({ content: 'x', execution_constraints: { hours: 1 } })).rejects.toMatchObject(invalid);
    await expect(sent({ preset: 'none' })).rejects.toMatchObject(unknown);
    await expect(call(as('ada'), 'get_command', { command: newId() })).rejects.toMatchObject(unknown);
  });

  test('names a preset, whose text it fills, or has text', async ({ as }) => {
    await runnerOf(as('ada'), 'claude-1', { type: 'claude' });
    await call(person(as('ada')), 'save_profile', { name: 'Careful', time_limit_ms: 5_000, is_default: true });
    await call(as('ada'), 'save_preset', {
      name: 'Review',
      type: 'review',
      content: 'Look at {{what}}.',
      variables: [{ name: 'what', description: 'A file.' }],
      target_agent_types: ['claude'],
    });
    const limits = { time_limit_ms: 9_000, token_budget: 10 };

    const sent = await call(as('ada'), 'send_command', { preset: 'review', values: { what: 'a.ts' }, limits });

    expect(sent).toMatchObject({
      content: 'Look at a.ts.',
      type: 'review',
      limits: { time_limit_ms: 5_000, token_budget: 10 },
      runs: [{ agent: 'claude-1' }],
    });
    expect(await call(as('ada'), 'list_presets')).toMatchObject({ presets: [{ usage_count: 1 }] });
    await expect(call(as('ada'), 'send_command', { preset: 'review', content: 'x' })).rejects.toMatchObject(invalid);
    await expect(call(as('ada'), 'send_command', { preset: 'review' })).rejects.toMatchObject(invalid);
  });

  test('for a task is for one agent, and for a task that is open', async ({ as }) => {
    await call(as('ada'), 'create_project', { slug: 'web', name: 'Web' });
    await call(as('ada'), 'create_tasks', { project: 'web', tasks: [{ title: 'a' }, { title: 'b' }] });
    await append(as('ada'), [{ stream: 'task:web-2', type: 'task.cancelled', data: { reason: 'x' } }]);
    await runnerOf(as('ada'), 'claude-1');
    await runnerOf(as('ada'), 'claude-2');

    await expect(send(as('ada'), { to: ['all'], task: 'web-1' })).rejects.toMatchObject(invalid);
    await expect(send(as('ada'), { to: ['claude-1'], task: 'web-2' })).rejects.toMatchObject(illegal);
  });

  test('is cancelled by its sender and administrators alone, and once', async ({ as, member }) => {
    await runnerOf(as('ada'), 'claude-1');
    const { id } = await send(as('ada'), { to: ['claude-1'] });

    await expect(call(member, 'cancel_command', { command: id })).rejects.toMatchObject(forbidden);
    await call(as('ada'), 'cancel_command', { command: id });
    await expect(call(as('ada'), 'cancel_command', { command: id })).rejects.toMatchObject(illegal);
  });
});

describe('a run', () => {
  test('is interrupted by its sender, the owner of its agent, or an administrator', async ({ as, member }) => {
    const runner = await runnerOf(as('ada'), 'claude-1');
    await send(as('ada'), { to: ['claude-1'] });
    const { run, lock_token } = await claimed(runner);

    await expect(call(member, 'interrupt_run', { run: run.id })).rejects.toMatchObject(forbidden);
    await call(as('ada'), 'interrupt_run', { run: run.id });
    await runner.report(run.id, lock_token, [completed]);
    await expect(call(as('ada'), 'interrupt_run', { run: run.id })).rejects.toMatchObject(illegal);
  });

  test('is told of by who has claimed it, in its order', async ({ as, member }) => {
    const runner = await runnerOf(as('ada'), 'claude-1');
    await send(as('ada'), { to: ['claude-1'] });
    const { run, lock_token } = await claimed(runner);
    const report = (ctx: Context, token: number, events: unknown) =>
      ctx.db.call('report_run', { run: run.id, lock_token: token, events: events as object }, ctx.actor);

    await expect(report(as('ada'), lock_token + 1, [finished])).rejects.toMatchObject(lost);
    await expect(report(member, lock_token, [finished])).rejects.toMatchObject(lost);
    await expect(report(as('ada'), lock_token, [])).rejects.toMatchObject(invalid);
    await expect(report(as('ada'), lock_token, [{ type: 'run.claimed' }])).rejects.toMatchObject(illegal);
    await runner.report(run.id, lock_token, [{ type: 'run.requeued' }]);
    await expect(runner.report(run.id, lock_token, [finished])).rejects.toMatchObject(lost);
    await expect(runner.report(newId(), lock_token, [finished])).rejects.toMatchObject(unknown);
  });

  test('ends in the state that belongs to its reason', async ({ as }) => {
    const runner = await runnerOf(as('ada'), 'claude-1');
    await send(as('ada'), { to: ['claude-1'] });
    const { run, lock_token } = await claimed(runner);
    const pairs = END_REASONS.flatMap((end_reason) =>
      ['completed', 'cancelled', 'timed_out', 'failed'].map((status) => ({ status, end_reason })),
    );
    const taken: Record<string, string[]> = {};

    for (const data of pairs) {
      // The second event is refused in any case, so that the run does not end.
      const ends = [{ type: 'run.finished', data }, { type: 'run.claimed' }];
      const refused = await runner.report(run.id, lock_token, ends).catch((error: DomainError) => error.code);
      if (refused === 'illegal_transition') taken[data.status] = [...(taken[data.status] ?? []), data.end_reason];
      else expect(refused).toBe('invalid_input');
    }

    expect(taken).toEqual({
      completed: ['completed'],
      cancelled: ['interrupted', 'cancelled', 'emergency_stop', 'expired'],
      timed_out: ['time_limit'],
      failed: ['token_limit', 'memory_limit', 'cpu_limit', 'silent', 'usage_limit', 'lost', 'crashed', 'error'],
    });
  });
});

describe('all agents', () => {
  test('are stopped by every member, go on by an administrator, and everywhere by who runs the server', async ({
    as,
    member,
  }) => {
    const stop = (ctx: Context, args: { reach: string; stopped: boolean }) =>
      ctx.db.call('stop_agents', args, ctx.actor);

    await stop(member, { reach: 'workspace', stopped: true });
    await expect(stop(person(member), { reach: 'workspace', stopped: false })).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('an administrator'),
    });
    await expect(stop(as('ada'), { reach: 'workspace', stopped: false })).rejects.toMatchObject(inPerson);
    await stop(person(as('ada')), { reach: 'workspace', stopped: false });
    await expect(stop(as('ada'), { reach: 'installation', stopped: true })).rejects.toMatchObject(forbidden);
    await expect(stop(as('ada'), { reach: 'moon', stopped: true })).rejects.toMatchObject(invalid);
    const limited = { ...as('ada').actor, project_id: newId() };
    await expect(
      as('ada').db.call('stop_agents', { reach: 'workspace', stopped: true }, limited),
    ).rejects.toMatchObject(forbidden);
  });
});
