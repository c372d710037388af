import type pg from 'pg';
import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { Actor } from '../../src/db/database.ts';
import { newId } from '../../src/events/ids.ts';
import { listNeeds } from '../../src/services/needs.ts';
import { call, person, plan, take } from '../support/calls.ts';
import { record } from '../support/commands.ts';
import { reportPresence } from '../support/presence.ts';
import { test } from '../support/world.ts';
import { upTo } from '../support/writers.ts';

const refs = (tasks: { ref: string }[]) => tasks.map(({ ref }) => ref);
const needs = (ctx: Context) => listNeeds(ctx, { project: 'web' });

/** Claims in a process that has ended since. */
async function leave(ctx: Context, ...tasks: string[]): Promise<void> {
  const gone = { ...ctx, actor: { ...ctx.actor, process: newId() } };
  await reportPresence(gone);
  for (const task of tasks) await take(gone, task);
  await reportPresence(gone, { ended: true });
}

/** The stranger as a member of the owner's workspace. */
async function joining(ctx: Context, people: { owner: Actor; stranger: Actor }, sql: pg.Pool): Promise<Context> {
  const { tenant_id = '' } = people.owner;
  const member = `insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'member')`;
  await sql.query(member, [tenant_id, people.stranger.user_id]);
  return { ...ctx, actor: { ...ctx.actor, tenant_id } };
}

describe('what was left behind', () => {
  test('is found behind all that is in progress, whoever left it, until it is taken or lapses', async ({
    as,
    asStranger,
    people,
    sql,
    clock,
  }) => {
    const bob = await joining(asStranger('bob'), people, sql);
    await plan(
      as('ada'),
      upTo(14).map((at) => ({ title: `T${at}` })),
    );
    for (const at of upTo(12)) await take(as('ada'), `web-${at}`);
    await leave(bob, 'web-13');
    await leave(as('cy'), 'web-14');

    expect(await needs(as('ada'))).toMatchObject({
      left: [
        { ref: 'web-13', locked_by: 'bob', session: expect.stringContaining('ended') },
        { ref: 'web-14', locked_by: 'cy', session: expect.stringContaining('ended') },
      ],
      left_count: 2,
    });
    await take(as('ada'), 'web-14', { take_over: true, from: 'cy' });
    expect(await needs(as('ada'))).toMatchObject({ left: [{ ref: 'web-13' }], left_count: 1 });
    await clock.advance({ seconds: 180 });
    expect(await needs(as('ada'))).toMatchObject({ left: [], left_count: 0 });
  });

  test('is counted where more is left than is shown', async ({ as }) => {
    await plan(
      as('ada'),
      upTo(7).map((at) => ({ title: `T${at}` })),
    );
    await leave(as('cy'), ...upTo(7).map((at) => `web-${at}`));

    const { left, left_count } = await needs(as('ada'));

    expect([left.length, left_count]).toEqual([5, 7]);
  });
});

describe('what waits for the approval of a person', () => {
  const gate = (on: string, more: object = {}) => ({ on, require: { approval: true }, ...more });
  const approve = (ctx: Context, ref: string) =>
    record(person(ctx), { stream: `task:${ref}`, type: 'task.approved', data: {} });

  test('is nothing that is in progress, before it is submitted', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }], { gates: [gate('complete')] });
    const own = await take(as('ada'), 'web-1');
    expect(await needs(as('ada'))).toMatchObject({ unapproved: [], unapproved_count: 0 });
    expect(await call(as('ada'), 'list_approvals')).toEqual({ approvals: [] });

    await call(as('ada'), 'complete_task', own);

    expect(await call(as('ada'), 'list_approvals')).toMatchObject({ approvals: [{ task: 'web-1' }] });
  });

  test('is ready where the gate is on the claim', async ({ as }) => {
    const tasks = [
      { key: 'a', title: 'A' },
      { title: 'B', dependencies: ['a'] },
      { title: 'C', priority: 'high' },
    ];
    await plan(as('ada'), tasks, { gates: [gate('claim')] });

    expect(refs((await needs(as('ada'))).unapproved)).toEqual(['web-3', 'web-1']);
    await approve(as('ada'), 'web-3');
    expect(refs((await needs(as('ada'))).unapproved)).toEqual(['web-1']);
  });

  test('is nothing that the gate is not about, nor where another is asked for', async ({ as }) => {
    const when = { priority: ['critical'] };
    const rules = { gates: [gate('complete', { when }), gate('cancel'), { on: 'claim', require: { decision: true } }] };
    await plan(as('ada'), [{ title: 'A' }], rules);

    expect(await needs(as('ada'))).toMatchObject({ unapproved: [], unapproved_count: 0 });
  });
});

test('who may not read tasks is told of none', async ({ as }) => {
  await plan(as('ada'), []);

  await expect(needs({ ...as('ada'), scopes: new Set(['projects:read']) })).rejects.toMatchObject({
    code: 'insufficient_scope',
    details: { scope: 'tasks:read' },
  });
});
