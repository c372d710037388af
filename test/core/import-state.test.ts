import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import type { ForeignTask } from '../../src/formats/foreign-task.ts';
import { adoptTasks } from '../../src/services/adoption.ts';
import { planAdoption } from '../../src/services/adoption-plan.ts';
import { createProject } from '../../src/services/projects.ts';
import { call } from '../support/calls.ts';
import { test } from '../support/world.ts';

const task = (key: string, rest: Partial<ForeignTask> = {}): ForeignTask => ({
  key,
  place: `line ${key}`,
  title: key,
  status: 'pending',
  dependencies: [],
  ...rest,
});

const finished = (total: number, rest: Partial<ForeignTask> = {}) =>
  Array.from({ length: total }, (_, at) => task(`done ${at}`, { status: 'completed', ...rest }));

async function adopt(ctx: Context, tasks: ForeignTask[], rules?: object) {
  const project = await createProject(ctx, { slug: 'shop', name: 'Shop', ...(rules && { rules: rules as never }) });
  return adoptTasks(ctx, planAdoption(tasks), { project, format: 'beads' });
}

/** Returns the statuses of the tasks by title. */
async function statesOf(ctx: Context): Promise<Record<string, string>> {
  const { tasks } = await call(ctx, 'list_tasks', { project: 'shop', page_size: 100 });
  return Object.fromEntries(tasks.map(({ title, status, ready }) => [title, ready ? 'ready' : status]));
}

describe('an import gives a task the state that it had', () => {
  test('in the transaction that creates it, so that no agent gets what is over', async ({ as }) => {
    const tasks = [
      ...finished(120, { acceptance_criteria: ['It works'] }),
      task('open'),
      task('stuck', { status: 'blocked' }),
      task('dropped', { status: 'cancelled' }),
    ];
    const project = await createProject(as('ada'), { slug: 'shop', name: 'Shop' });
    let isOver = false;
    const importing = adoptTasks(as('ada'), planAdoption(tasks), { project, format: 'beads' }).finally(() => {
      isOver = true;
    });

    const claimed: string[] = [];
    while (!isOver) {
      const claim = await call(as('bob'), 'claim_task', { project: 'shop' });
      if (claim.task !== undefined) claimed.push(String(claim.task.title));
    }

    expect(await importing).toMatchObject({ created: 123, moved: 122, warnings: [] });
    expect(claimed.filter((title) => title !== 'open')).toEqual([]);
    const { counts } = await call(as('ada'), 'list_tasks', { project: 'shop', page_size: 1 });
    expect(counts).toMatchObject({ completed: 120, blocked: 1, cancelled: 1 });
  });

  test('cancelled with those that wait for it, which a person decides about', async ({ as }) => {
    const done = await adopt(as('ada'), [
      task('gone', { status: 'cancelled' }),
      task('waits', { dependencies: ['gone'] }),
      task('gone too', { status: 'cancelled', dependencies: ['gone'] }),
      ...finished(60),
      task('part', { parent: 'waits' }),
    ]);

    expect(done).toMatchObject({ created: 64, warnings: [] });
    expect(await statesOf(as('ada'))).toMatchObject({
      gone: 'cancelled',
      waits: 'blocked',
      'gone too': 'cancelled',
      part: 'ready',
    });
  });

  test('blocked, and says so, where too many wait for what is cancelled', async ({ as }) => {
    const waiting = Array.from({ length: 60 }, (_, at) => task(`w${at}`, { dependencies: ['gone'] }));

    const { warnings } = await adopt(as('ada'), [task('gone', { status: 'cancelled' }), ...waiting]);

    expect(warnings).toContain('w59: left out the dependency on gone, which is cancelled.');
    const states = Object.values(await statesOf(as('ada'))).toSorted();
    expect(states).toEqual([...Array(60).fill('blocked'), 'cancelled']);
  });

  test('or blocked with the reason, where a gate refuses some of many', async ({ as }) => {
    const gate = {
      gates: [
        { on: 'complete', require: { evidence: 'reported' } },
        { on: 'cancel', require: { approval: true } },
      ],
    };

    const done = await adopt(
      as('ada'),
      [...finished(20), task('dropped', { status: 'cancelled' }), task('open')],
      gate,
    );

    expect(done).toMatchObject({ created: 22, moved: 20, warnings: [expect.stringMatching(/^dropped: it could not/)] });
    expect(await statesOf(as('ada'))).toMatchObject({ dropped: 'blocked', open: 'ready', 'done 19': 'completed' });
  });

  test('in progress as free to go on with, and waiting while it waits', async ({ as }) => {
    const done = await adopt(as('ada'), [
      task('first', { status: 'in_progress' }),
      task('second', { status: 'in_progress', dependencies: ['first'] }),
    ]);

    expect(done.warnings).toEqual([expect.stringMatching(/^second: it could not become in_progress/)]);
    expect(await statesOf(as('ada'))).toEqual({ first: 'ready', second: 'pending' });
  });

  test('while each rule still follows each of its events', async ({ as }) => {
    const rules = { gates: [], triggers: [{ on: 'task.completed', do: { create_task: { title: 'Look at it' } } }] };

    const done = await adopt(as('ada'), finished(210), rules);

    expect(done).toMatchObject({ created: 210, moved: 210, warnings: [] });
    const { counts } = await call(as('ada'), 'list_tasks', { project: 'shop', page_size: 1 });
    expect(counts).toMatchObject({ completed: 210, pending: 210 });
  });
});

describe('the database lets a call claim', () => {
  test('what it creates itself, and nothing else', async ({ as }) => {
    await adopt(as('ada'), [task('a')]);
    const id = newId();
    const created = { stream: `task:${id}`, type: 'task.created', data: { project: 'shop', title: 'b' } };
    const claim = (task: string) => ({ stream: `task:${task}`, type: 'task.claimed', data: { ttl_seconds: 60 } });
    const send = (...events: object[]) => as('bob').db.call('append_events', { events }, as('bob').actor);

    await expect(send(created, claim('shop-1'))).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(send(claim(id), created)).rejects.toMatchObject({ code: 'invalid_input' });
    await send(created, claim(id));

    expect(await statesOf(as('ada'))).toEqual({ a: 'ready', b: 'in_progress' });
    await expect(send(created, claim(id))).rejects.toMatchObject({ code: 'already_exists' });
  });
});

describe('an import passes over', () => {
  test('what an agent holds, and names it', async ({ as }) => {
    const open = [task('a'), task('b')];
    const project = await createProject(as('ada'), { slug: 'shop', name: 'Shop' });
    await adoptTasks(as('ada'), planAdoption(open), { project, format: 'beads' });
    await call(as('bob'), 'claim_task', { task: 'shop-1' });

    const closed = open.map((one) => ({ ...one, status: 'completed' as const }));
    const again = await adoptTasks(as('ada'), planAdoption(closed), { project, format: 'beads' });

    expect(again).toMatchObject({
      created: 0,
      moved: 1,
      warnings: ['a: it is held by bob, so it did not become completed.'],
    });
    expect(await statesOf(as('ada'))).toEqual({ a: 'in_progress', b: 'completed' });
  });

  test('what another import creates at the same time', async ({ as }) => {
    const project = await createProject(as('ada'), { slug: 'shop', name: 'Shop' });
    const tasks = finished(70);

    const both = await Promise.all(
      [1, 2].map(() => adoptTasks(as('ada'), planAdoption(tasks), { project, format: 'beads' })),
    );

    expect(both.reduce((sum, { created }) => sum + created, 0)).toBe(70);
    const { counts } = await call(as('ada'), 'list_tasks', { project: 'shop', page_size: 1 });
    expect(counts).toMatchObject({ completed: 70 });
  });
});
