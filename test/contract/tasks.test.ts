import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { call, plan, take } from '../support/calls.ts';
import { hashTables } from '../support/rows.ts';
import { test as base } from '../support/world.ts';

/** Another user of the same workspace. */
const test = base.extend<{ asMember: (agent: string) => Context }>({
  asMember: async ({ asStranger, people, sql }, use) => {
    const { tenant_id = '' } = people.owner;
    await sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'member')`, [
      tenant_id,
      people.stranger.user_id,
    ]);
    await use((agent) => ({ ...asStranger(agent), actor: { ...asStranger(agent).actor, tenant_id } }));
  },
});

const chain = [
  { key: 'a', title: 'A' },
  { title: 'B', dependencies: ['a'] },
];

describe('an agent that lost its token', () => {
  test('takes its lock back: it gets a new one, and the old one is worth nothing', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const lost = await take(as('ada'), 'web-1');

    await expect(take(as('ada'), 'web-1')).rejects.toMatchObject({ code: 'lock_held' });
    const again = await take(as('ada'), 'web-1', { take_over: true });

    expect(again.lock_token).toBeGreaterThan(lost.lock_token);
    await expect(call(as('ada'), 'complete_task', lost)).rejects.toMatchObject({ code: 'lock_lost' });
    await expect(call(as('ada'), 'extend_lock', lost)).rejects.toMatchObject({ code: 'lock_lost' });
    expect(await call(as('ada'), 'complete_task', again)).toMatchObject({ task: { status: 'completed' } });
  });

  test('finds what it holds', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }]);
    await take(as('ada'), 'web-2');
    await take(as('bob'), 'web-1');

    const { tasks } = await call(as('ada'), 'list_tasks', { mine: true });

    expect(tasks.map(({ ref }) => ref)).toEqual(['web-2']);
  });

  test('and its name takes over as the same user, on the record', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const lost = await take(as('ada#1'), 'web-1');
    await expect(take(as('ada#2'), 'web-1')).rejects.toMatchObject({ code: 'lock_held' });

    const taken = await take(as('ada#2'), 'web-1', { take_over: true });

    expect(taken.lock_token).toBeGreaterThan(lost.lock_token);
    await expect(call(as('ada#1'), 'complete_task', lost)).rejects.toMatchObject({ code: 'lock_lost' });
    expect(
      await call(as('ada'), 'list_events', { project: 'web', types: ['task.claimed'], include_data: true }),
    ).toMatchObject({ events: [{ by: 'ada#2', data: { take_over: true } }, { by: 'ada#1' }] });
  });

  test('cannot be taken over by another user', async ({ as, asMember }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const own = await take(as('ada'), 'web-1');

    await expect(take(asMember('ada'), 'web-1', { take_over: true })).rejects.toMatchObject({ code: 'lock_held' });
    await expect(take(asMember('ada'), 'web-1')).rejects.toMatchObject({ code: 'lock_held' });

    expect(await call(as('ada'), 'complete_task', own)).toMatchObject({ task: { status: 'completed' } });
  });
});

describe('giving up', () => {
  test.for(['failed', 'paused'])('with outcome %s tells the next agent why', async (outcome, { as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const own = await take(as('ada'), 'web-1');

    const released = await call(as('ada'), 'release_task', { ...own, outcome, reason: 'The API is down.' });
    const next = await call(as('bob'), 'claim_task');

    expect(released).toMatchObject({ task: { status: 'pending', ready: true } });
    expect(next).toMatchObject({
      task: { ref: 'web-1' },
      previous: { outcome, reason: 'The API is down.', by: 'ada' },
    });
    expect(next.task['attempts']).toBe(outcome === 'failed' ? 1 : undefined);
  });
});

describe('while another agent holds a task', () => {
  test.for<[what: string, change: object]>([
    ['title', { title: 'B' }],
    ['description', { description: 'B' }],
    ['criteria', { acceptance_criteria: ['B'] }],
    ['constraints', { constraints: { files_max: 1 } }],
    ['text along with its priority', { title: 'B', priority: 'high' }],
    ['status', { status: 'blocked', reason: 'So.' }],
    ['end', { status: 'cancelled', reason: 'So.' }],
  ])('its %s waits', async ([, change], { as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    await take(as('ada'), 'web-1');

    const attempt = call(as('bob'), 'update_task', { task: 'web-1', ...change });

    await expect(attempt).rejects.toMatchObject({ code: 'lock_held', details: { locked_by: 'ada' } });
  });

  test('others comment, change its priority and its dependencies, and the lock stays', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }]);
    const own = await take(as('ada'), 'web-1');

    await call(as('bob'), 'record_event', { task: 'web-1', kind: 'note', text: 'Mind the gap.' });
    await call(as('bob'), 'update_task', { task: 'web-1', priority: 'critical', add_dependencies: ['web-2'] });

    expect(await call(as('ada'), 'extend_lock', own)).toMatchObject({ ref: 'web-1' });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({
      priority: 'critical',
      dependencies: [{ ref: 'web-2' }],
      locked_by: 'ada',
    });
  });

  test('the holder changes everything', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const own = await take(as('ada'), 'web-1');

    const { task } = await call(as('ada'), 'update_task', { ...own, title: 'B', acceptance_criteria: ['It runs'] });

    expect(task).toMatchObject({ title: 'B', status: 'in_progress' });
  });
});

describe('a repeated', () => {
  test.for<[tool: string, args: object]>([
    ['complete_task', { summary: 'Done.' }],
    ['release_task', { outcome: 'failed', reason: 'Late.' }],
  ])('%s with the same token succeeds and changes nothing', async ([tool, args], { as, sql, people }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const own = await take(as('ada'), 'web-1');
    const first = await call(as('ada'), tool, { ...own, ...args });
    const before = await hashTables(sql, people.owner.tenant_id);

    const second = await call(as('ada'), tool, { ...own, ...args });

    expect(second).toEqual({ ...first, repeated: true });
    expect(await hashTables(sql, people.owner.tenant_id)).toEqual(before);
    await expect(call(as('bob'), tool, { ...own, ...args })).rejects.toMatchObject({ code: 'lock_lost' });
  });
});

describe('a lock', () => {
  test.for<[tool: string, args: object]>([
    ['update_task', { priority: 'high' }],
    ['update_task', { title: 'B' }],
    ['update_task', { add_dependencies: ['web-2'] }],
    ['add_artifact', { type: 'pr', ref: '#1' }],
    ['extend_lock', { ttl_seconds: 60 }],
  ])('is extended by %s with %o', async ([tool, args], { as, clock }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }]);
    const own = await take(as('ada'), 'web-1', { ttl_seconds: 60 });
    await clock.advance({ seconds: 50 });

    await call(as('ada'), tool, { ...own, ...args });
    await clock.advance({ seconds: 50 });

    await expect(take(as('bob'), 'web-1')).rejects.toMatchObject({ code: 'lock_held' });
    await clock.advance({ seconds: 11 });
    expect(await take(as('bob'), 'web-1')).toMatchObject({ task: 'web-1' });
  });

  test('that expired is lost, and the next claim gets the task', async ({ as, clock }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const own = await take(as('ada'), 'web-1', { ttl_seconds: 60 });
    await clock.advance({ seconds: 61 });

    for (const [tool, args] of [
      ['complete_task', {}],
      ['release_task', { outcome: 'paused', reason: 'Lunch.' }],
      ['update_task', { priority: 'high' }],
      ['add_artifact', { type: 'pr', ref: '#1' }],
      ['extend_lock', {}],
    ] as const) {
      await expect(call(as('ada'), tool, { ...own, ...args }), tool).rejects.toMatchObject({ code: 'lock_lost' });
    }
    const next = await call(as('bob'), 'claim_task');

    expect(next).toMatchObject({ task: { ref: 'web-1', locked_by: 'bob', attempts: 1 } });
  });

  test('is broken by an admin, not by a member, and the token is lost', async ({ as, asMember }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const own = await take(as('ada'), 'web-1');
    const order = { task: 'web-1', reason: 'The agent is gone.' };
    await expect(call(asMember('eve'), 'break_lock', order)).rejects.toMatchObject({ code: 'forbidden' });

    await call(as('root'), 'break_lock', order);

    await expect(call(as('ada'), 'complete_task', own)).rejects.toMatchObject({ code: 'lock_lost' });
    expect(await call(as('bob'), 'claim_task')).toMatchObject({
      previous: { outcome: 'lock_broken', reason: order.reason, by: 'ada' },
    });
  });
});

test('an update that expects another version is refused, whole', async ({ as }) => {
  await plan(as('ada'), [{ title: 'A' }]);
  const { task } = await call(as('ada'), 'update_task', { task: 'web-1', title: 'B', expected_version: 1 });

  const late = call(as('bob'), 'update_task', {
    task: 'web-1',
    title: 'C',
    status: 'cancelled',
    reason: 'So.',
    expected_version: 1,
  });

  expect(task.version).toBe(2);
  await expect(late).rejects.toMatchObject({ code: 'version_conflict', retryable: true });
  expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({
    title: 'B',
    status: 'pending',
    version: 2,
  });
});

describe('claiming the next task', () => {
  test.for<[filters: object, ref: string | undefined]>([
    [{}, 'web-4'],
    [{ priority: ['low'] }, 'web-6'],
    [{ query: 'PAGE' }, 'web-2'],
    [{ parent: 'web-1' }, 'web-3'],
    [{ parent: 'web-1', priority: ['high'] }, undefined],
  ])('with %o', async ([filters, ref], { as }) => {
    await plan(as('ada'), [
      { key: 'p', title: 'API', priority: 'low' },
      { title: 'The page' },
      { title: 'Child', parent: 'p' },
      { title: 'Urgent', priority: 'critical' },
      { title: 'Later', priority: 'critical', dependencies: ['p'] },
      { title: 'Slow', priority: 'low' },
    ]);

    const claimed = await call(as('ada'), 'claim_task', { ...filters });

    expect(claimed.task?.ref).toBe(ref);
  });

  test('when nothing is ready says why and what to do', async ({ as }) => {
    await plan(as('ada'), chain);
    const own = await take(as('ada'), 'web-1');
    const claim = (filters = {}) => call(as('bob'), 'claim_task', filters);

    const held = await claim();
    await call(as('ada'), 'update_task', { ...own, status: 'blocked', reason: 'So.' });
    const blocked = await claim();
    await call(as('ada'), 'update_task', { task: 'web-1', status: 'unblocked' });
    const filtered = await claim({ query: 'no such' });
    await call(as('ada'), 'complete_task', await take(as('ada'), 'web-1'));
    await call(as('ada'), 'complete_task', await take(as('ada'), 'web-2'));
    const done = await claim();

    expect(held).toMatchObject({
      counts: { in_progress: 1, pending: 1, ready: 0 },
      next_expiry: expect.any(String),
      hint: expect.stringMatching(/wait_for_events/),
    });
    expect(blocked).toMatchObject({ counts: { blocked: 1 }, hint: expect.stringMatching(/status blocked/) });
    expect(filtered).toMatchObject({ counts: { ready: 1 }, hint: expect.stringMatching(/without the filters/) });
    expect(done).toMatchObject({ counts: { completed: 2 }, hint: expect.stringMatching(/save a checkpoint/i) });
    expect([held, blocked, filtered, done].filter(({ task }) => task !== undefined)).toEqual([]);
  });
});
