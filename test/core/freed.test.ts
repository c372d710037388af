import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { completeUnheldTask } from '../../src/services/tasks.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { call, person, plan, take } from '../support/calls.ts';
import { hashTables } from '../support/rows.ts';
import { test } from '../support/world.ts';

describe('whoever completes a task is told', () => {
  test('what became ready by it, the most urgent first, and what to do next', async ({ as }) => {
    await plan(as('ada'), [
      { key: 'a', title: 'A' },
      { key: 'b', title: 'B' },
      { title: 'C', dependencies: ['a'] },
      { title: 'D', dependencies: ['a'], priority: 'high' },
      { title: 'E', dependencies: ['a', 'b'] },
    ]);

    const answer = await callTool(as('ada'), toolNamed('complete_task'), await take(as('ada'), 'web-1'));

    expect(answer.structured).toMatchObject({ freed: ['web-4', 'web-3'] });
    expect(answer.text).toContain('Ready now: web-4, web-3.\nNext: claim_task takes the best ready one.');
  });

  test('nothing where nothing became ready', async ({ as }) => {
    await plan(as('ada'), [
      { key: 'a', title: 'A' },
      { key: 'b', title: 'B' },
      { title: 'C', dependencies: ['a', 'b'] },
    ]);

    expect(await call(as('ada'), 'complete_task', await take(as('ada'), 'web-1'))).not.toHaveProperty('freed');
  });

  test('the task of which the last open part ended', async ({ as }) => {
    await plan(as('ada'), [
      { key: 'p', title: 'P' },
      { title: 'A', parent: 'p' },
      { title: 'B', parent: 'p' },
    ]);
    await call(as('ada'), 'update_task', { task: 'web-2', status: 'cancelled', reason: 'No.' });

    expect(await call(as('ada'), 'complete_task', await take(as('ada'), 'web-3'))).toMatchObject({ freed: ['web-1'] });
  });

  test('of twenty at most, and how many there are', async ({ as }) => {
    const others = Array.from({ length: 25 }, (_, at) => ({ title: `T${at}`, dependencies: ['a'] }));
    await plan(as('ada'), [{ key: 'a', title: 'A' }, ...others]);

    const { freed, freed_total } = await call(as('ada'), 'complete_task', await take(as('ada'), 'web-1'));

    expect(freed).toHaveLength(20);
    expect(freed_total).toBe(25);
  });
});

describe('a person who is no admin', () => {
  test('needs no token for what they hold under their own name, and for nothing else', async ({ as, sql }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }, { title: 'C' }]);
    const bob = person(as('bob'));
    await sql.query(`update public.memberships set role = 'member' where user_id = $1`, [bob.actor.user_id]);
    await take(bob, 'web-1');
    await take(as('ada'), 'web-2');
    await take({ ...bob, actor: { ...bob.actor, client: 'another name' } }, 'web-3');
    const complete = (task: string) =>
      bob.db.call(
        'append_events',
        { events: [{ stream: `task:${task}`, type: 'task.completed', data: {} }] },
        bob.actor,
      );

    await expect(complete('web-2')).rejects.toMatchObject({ code: 'lock_held' });
    await expect(complete('web-3')).rejects.toMatchObject({ code: 'lock_held' });
    expect(await complete('web-1')).toMatchObject({ events: [{ state: { status: 'completed' } }] });
  });
});

describe('a person who closes what nobody holds', () => {
  const event = (task: string, type: string, data = {}) => ({ stream: `task:${task}`, type: `task.${type}`, data });
  const claim = event('web-1', 'claimed', { ttl_seconds: 60 });
  const send = (by: Context, ...events: object[]) => by.db.call('append_events', { events }, by.actor);

  test('claims and completes it in one step, as a member too', async ({ as, sql }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const bob = person(as('bob'));
    await sql.query(`update public.memberships set role = 'member' where user_id = $1`, [bob.actor.user_id]);

    expect(await completeUnheldTask(bob, { task: 'web-1' })).toMatchObject({ task: { status: 'completed' } });

    const { events } = await call(as('ada'), 'list_events', { task: 'web-1' });
    expect(events).toMatchObject([{ type: 'task.completed' }, { type: 'task.claimed' }, { type: 'task.created' }]);
  });

  test('leaves it as it was where that is refused', async ({ as, sql, people }) => {
    const rules = { gates: [{ on: 'complete', require: { artifacts: ['pr'] } }] };
    await plan(
      as('ada'),
      [
        { key: 'a', title: 'A' },
        { title: 'B', dependencies: ['a'] },
      ],
      rules,
    );
    const bob = person(as('bob'));
    const before = await hashTables(sql, people.owner.tenant_id);

    await expect(completeUnheldTask(bob, { task: 'web-1' })).rejects.toMatchObject({ code: 'gate_unmet' });
    await expect(completeUnheldTask(bob, { task: 'web-2' })).rejects.toMatchObject({ code: 'illegal_transition' });

    expect(await hashTables(sql, people.owner.tenant_id)).toEqual(before);
  });

  test('is no agent, and does nothing else with the claim', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }]);
    const bob = person(as('bob'));
    const refused = { code: 'invalid_input' };

    await expect(send(as('bob'), claim, event('web-1', 'completed'))).rejects.toMatchObject(refused);
    await expect(send(bob, claim)).rejects.toMatchObject(refused);
    await expect(send(bob, claim, event('web-2', 'completed'))).rejects.toMatchObject(refused);
    await expect(send(bob, claim, event('web-1', 'noted', { kind: 'note', text: 'x' }))).rejects.toMatchObject(refused);
  });
});

test('resume says how many questions are open where it does not show all', async ({ as }) => {
  await plan(as('ada'), []);
  for (let at = 1; at <= 7; at += 1) {
    await call(as('ada'), 'record_event', { project: 'web', kind: 'question', text: `Which ${at}?` });
    const resumed = await call(as('ada'), 'resume_project', { project: 'web' });
    expect(resumed['questions_open']).toBe(at > 5 ? at : undefined);
  }

  const { text } = await callTool(as('ada'), toolNamed('resume_project'), { project: 'web' });
  expect(text).toContain('The latest of 7 open questions:');
});

test('what became ready is in the order of claims, by rank too', async ({ as }) => {
  const after = { dependencies: ['a'] };
  await plan(as('ada'), [
    { key: 'a', title: 'A' },
    { title: 'B', ...after },
    { title: 'C', rank: 2, ...after },
    { title: 'D', rank: 1, ...after },
  ]);

  const { freed } = await call(as('ada'), 'complete_task', await take(as('ada'), 'web-1'));

  expect(freed).toEqual(['web-4', 'web-3', 'web-2']);
});
