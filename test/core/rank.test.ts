import { describe, expect, test as plainTest } from 'vitest';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import { UpdateTaskAsPerson, updateTask } from '../../src/services/tasks.ts';
import { call, plan, take } from '../support/calls.ts';
import { append, createProject } from '../support/commands.ts';
import { explainAll, stepsOf } from '../support/plans.ts';
import { createScratch } from '../support/scratch.ts';
import { test } from '../support/world.ts';
import { upTo } from '../support/writers.ts';

const TASKS = [
  { title: 'No rank, the oldest' },
  { title: 'Second, with another', rank: 2 },
  { title: 'First', rank: -1.5 },
  { title: 'High', priority: 'high' },
  { title: 'Second, the younger', rank: 2 },
  { title: 'Low', priority: 'low', rank: -99 },
  { title: 'No rank, the younger' },
  { title: 'High with a rank', priority: 'high', rank: 1_000 },
];
const ORDER = ['web-8', 'web-4', 'web-3', 'web-2', 'web-5', 'web-1', 'web-7', 'web-6'];

const refs = (tasks: unknown) => (tasks as { ref: string }[]).map(({ ref }) => ref);

/** Returns the ready tasks, page by page. */
async function readyPages(ctx: Context, page_size: number): Promise<string[]> {
  const found: string[] = [];
  let cursor: unknown;
  do {
    const page = await call(ctx, 'list_tasks', { project: 'web', ready: true, page_size, cursor });
    found.push(...refs(page.tasks));
    cursor = page['next_cursor'];
  } while (cursor !== undefined);
  return found;
}

describe('the next task is by priority, then rank, then number', () => {
  test('for agents that claim, one after the other', async ({ as }) => {
    await plan(as('ada'), TASKS);

    const claimed: string[] = [];
    for (const _ of TASKS) claimed.push((await call(as('ada'), 'claim_task')).task.ref);

    expect(claimed).toEqual(ORDER);
  });

  test('for agents that claim at once', async ({ as }) => {
    await plan(as('ada'), TASKS);

    const claims = await Promise.all(ORDER.slice(0, 5).map((_, at) => call(as(`agent-${at}`), 'claim_task')));

    expect(claims.map(({ task }) => task.ref).sort()).toEqual(ORDER.slice(0, 5).sort());
  });

  test('for agents that claim by a label at once', async ({ as }) => {
    await plan(
      as('ada'),
      TASKS.map((task) => ({ ...task, labels: ['ui'] })),
    );

    const claims = await Promise.all(ORDER.map((_, at) => call(as(`agent-${at}`), 'claim_task', { labels: ['UI'] })));

    expect(claims.map(({ task }) => task.ref).sort()).toEqual([...ORDER].sort());
  });

  test.for([1, 2, 3, 100])('in lists of what is ready, in pages of %i', async (size, { as }) => {
    await plan(as('ada'), TASKS);

    expect(await readyPages(as('ada'), size)).toEqual(ORDER);
  });

  test('where a project is read or resumed', async ({ as }) => {
    await plan(as('ada'), TASKS);

    const [read, resumed] = [await call(as('ada'), 'get_project'), await call(as('ada'), 'resume_project')];

    for (const { ready } of [read, resumed]) expect(refs(ready)).toEqual(ORDER.slice(0, refs(ready).length));
    expect(refs(read['ready']).length).toBeGreaterThan(3);
  });

  test('among those with a label, and of which a claim has lapsed', async ({ as, clock }) => {
    await plan(as('ada'), [
      { title: 'A', labels: ['ui'], rank: 3 },
      { title: 'B', labels: ['ui'], rank: 2 },
      { title: 'C', rank: 1 },
    ]);
    await take(as('ada'), 'web-2', { ttl_seconds: 60 });
    await clock.advance({ seconds: 61 });

    expect(await readyPages(as('bob'), 1)).toEqual(['web-3', 'web-2', 'web-1']);
    expect(await call(as('bob'), 'claim_task', { labels: ['UI'] })).toMatchObject({ task: { ref: 'web-2' } });
    expect(await call(as('bob'), 'claim_task', { labels: ['UI'] })).toMatchObject({ task: { ref: 'web-1' } });
  });

  test('and changes with the rank; a person takes it away, no null that a client sends for what it leaves out', async ({
    as,
  }) => {
    await plan(as('ada'), [{ title: 'A', rank: 1 }, { title: 'B', rank: 2 }, { title: 'C' }]);

    await call(as('ada'), 'update_task', { task: 'web-2', priority: 'medium', rank: null });
    await updateTask(as('ada'), UpdateTaskAsPerson.parse({ task: 'web-1', rank: null }));
    await call(as('ada'), 'update_task', { task: 'web-3', rank: 1.5 });

    expect(await readyPages(as('ada'), 100)).toEqual(['web-3', 'web-2', 'web-1']);
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).not.toHaveProperty('rank');
    expect(await call(as('ada'), 'get_task', { task: 'web-3' })).toHaveProperty('rank', 1.5);
  });

  test('of a list that was begun before tasks had ranks, from its cursor on', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }, { title: 'C' }]);
    const { next_cursor } = await call(as('ada'), 'list_tasks', { project: 'web', ready: true, page_size: 1 });
    const { place: _, ...older } = JSON.parse(Buffer.from(String(next_cursor), 'base64url').toString());
    const cursor = Buffer.from(JSON.stringify(older)).toString('base64url');

    const page = await call(as('ada'), 'list_tasks', { project: 'web', ready: true, cursor });

    expect(refs(page.tasks)).toEqual(['web-2', 'web-3']);
  });
});

plainTest('a claim or a list by labels looks at tasks with the label alone', { timeout: 60_000 }, async () => {
  const scratch = await createScratch();
  try {
    const ada = await scratch.signIn('ada');
    await createProject(ada);
    const created = (at: number) => ({
      stream: `task:${newId()}`,
      type: 'task.created',
      data: { project: 'web', title: 'A', labels: [...(at > 1_190 ? ['Rare'] : []), 'common'], rank: 1_000 - at },
    });
    for (const page of upTo(5))
      await append(
        ada,
        upTo(200).map((at) => created(200 * page + at)),
      );
    await scratch.sql.query(`update public.tasks set rank = -rank where labels @> '{Rare}'`);
    await explainAll(scratch.sql);
    const labelled = (labels: string[], more: object = {}) => ({ project: 'web', filters: { labels, ...more } });

    const calls: [fn: string, args: Record<string, unknown>][] = [
      ['list_tasks', { ...labelled(['rare']), page_size: 5 }],
      ['list_tasks', { ...labelled(['RARE', 'common'], { status: ['pending'] }), page_size: 5 }],
      ['list_tasks', { ...labelled(['rare', 'common'], { ready: true }), page_size: 5 }],
      ['list_tasks', { ...labelled(['common']), page_size: 5 }],
      ['list_tasks', { ...labelled(['common'], { ready: true }), page_size: 5 }],
      ['list_tasks', labelled(['none'])],
      ['claim_task', labelled(['rare'])],
      ['claim_task', labelled(['common', 'rare'])],
      ['claim_task', labelled(['common'])],
      ['claim_task', labelled(['none'])],
      ['claim_task', labelled(['none', 'common'])],
    ];
    for (const call of calls) {
      const steps = await stepsOf(scratch.sql, call, ada.actor);
      expect([call, steps.filter(({ step, lookedAt }) => / on tasks$/.test(step) && lookedAt > 50)]).toEqual([
        call,
        [],
      ]);
      expect([call, steps.filter(({ lookedAt }) => lookedAt > 500)]).toEqual([call, []]);
    }
  } finally {
    await scratch.drop();
  }
});

plainTest('a claim looks at one task, however many are ready with whatever rank', { timeout: 60_000 }, async () => {
  const scratch = await createScratch();
  try {
    const ada = await scratch.signIn('ada');
    await createProject(ada);
    const created = (at: number) => ({
      stream: `task:${newId()}`,
      type: 'task.created',
      data: { project: 'web', title: 'A', ...(at % 3 > 0 && { rank: (at * 7919) % 1_000 }) },
    });
    for (const page of upTo(5))
      await append(
        ada,
        upTo(200).map((at) => created(200 * page + at)),
      );
    await explainAll(scratch.sql);

    const steps = await stepsOf(scratch.sql, ['claim_task', { project: 'web' }], ada.actor);

    const looks = steps.filter(({ step }) => step.includes('idx_tasks_ready'));
    expect(looks).toEqual([{ step: 'Index Scan idx_tasks_ready on tasks', lookedAt: 1 }]);
    expect(steps.filter(({ lookedAt }) => lookedAt > 50)).toEqual([]);
  } finally {
    await scratch.drop();
  }
});
