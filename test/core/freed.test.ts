import { describe, expect } from 'vitest';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { call, person, plan, take } from '../support/calls.ts';
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
