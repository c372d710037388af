import { readdir, readFile } from 'node:fs/promises';
import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { Task } from '../../src/events/task-forms.ts';
import { writeTasks } from '../../src/formats/cairn-tasks.ts';
import { writeChecklist } from '../../src/formats/checklist-writer.ts';
import { writeCsv } from '../../src/formats/csv.ts';
import type { ForeignTask, SourceFile } from '../../src/formats/foreign-task.ts';
import { detectFormat, type FormatName, readForeign } from '../../src/formats/formats.ts';
import { adoptTasks } from '../../src/services/adoption.ts';
import { planAdoption } from '../../src/services/adoption-plan.ts';
import { createProject, getProject } from '../../src/services/projects.ts';
import { getTask, listTasks } from '../../src/services/tasks.ts';
import { call } from '../support/calls.ts';
import { test } from '../support/world.ts';

const FIXTURES = new URL('../fixtures/import/', import.meta.url);

async function fixture(path: string): Promise<SourceFile> {
  return { path, text: await readFile(new URL(path, FIXTURES), 'utf8') };
}

async function backlog(): Promise<SourceFile[]> {
  const names = await readdir(new URL('backlog/tasks/', FIXTURES));
  return Promise.all(names.map((name) => fixture(`backlog/tasks/${name}`)));
}

async function read(format: FormatName): Promise<ForeignTask[]> {
  const files: Record<FormatName, () => Promise<SourceFile[]>> = {
    'task-master': async () => [await fixture('task-master/tasks.json')],
    backlog,
    beads: async () => [await fixture('beads/issues.jsonl')],
    github: async () => [await fixture('github/issues.json')],
    markdown: async () => [await fixture('markdown/plan.md')],
    cairn: async () => [],
  };
  return readForeign(format, await files[format]()).tasks;
}

async function source(ctx: Context, format: string, slug = 'shop') {
  return { project: await createProject(ctx, { slug, name: 'Shop' }), format };
}

/** The project's tasks in full, by number. */
async function tasksOf(ctx: Context, project = 'shop'): Promise<Task[]> {
  const { tasks } = await listTasks(ctx, { project, page_size: 100 });
  const whole = await Promise.all(tasks.map(({ ref }) => getTask(ctx, { task: ref, timeline_size: 0 })));
  return whole.sort((a, b) => Number(a.ref.split('-').at(-1)) - Number(b.ref.split('-').at(-1)));
}

/** The content that survives a move, by title: titles replace the names that each tool gives. */
function shape(tasks: Task[]) {
  const titles = new Map(tasks.map(({ ref, title }) => [ref, title]));
  return tasks.map(({ title, status, priority, acceptance_criteria, dependencies, parent }) => ({
    title,
    status,
    priority,
    criteria: acceptance_criteria.length,
    after: dependencies.map(({ ref }) => titles.get(ref)),
    part_of: parent && titles.get(parent),
  }));
}

describe('importing', () => {
  test.for<[FormatName, [title: string, status: string, priority: string, rest?: object][]]>([
    [
      'task-master',
      [
        ['Design the cart schema', 'completed', 'high'],
        ['Build the cart API', 'pending', 'high', { after: ['Design the cart schema'] }],
        ['Validate the body', 'completed', 'medium', { part_of: 'Build the cart API' }],
        [
          'Answer 201 with the cart',
          'pending',
          'medium',
          { part_of: 'Build the cart API', after: ['Validate the body'] },
        ],
        ['Build the checkout page', 'pending', 'medium', { after: ['Build the cart API'] }],
        ['Send receipts by mail', 'pending', 'low', { after: ['Build the cart API', 'Build the checkout page'] }],
        ['Support gift cards', 'cancelled', 'medium'],
        ['Load test', 'blocked', 'medium', { after: ['Build the checkout page'] }],
      ],
    ],
    [
      'backlog',
      [
        ['Design the cart schema', 'completed', 'high', { criteria: 2 }],
        ['Build the cart API', 'pending', 'high', { after: ['Design the cart schema'], criteria: 1 }],
        ['Validate the body', 'pending', 'medium', { part_of: 'Build the cart API', criteria: 1 }],
        ['Build the checkout page: form, payment', 'pending', 'medium', { after: ['Build the cart API'] }],
        [
          'Send receipts by mail',
          'pending',
          'low',
          { after: ['Build the cart API', 'Build the checkout page: form, payment'], criteria: 1 },
        ],
      ],
    ],
    [
      'beads',
      [
        ['Cart API', 'pending', 'high'],
        ['Validate the body', 'completed', 'high', { part_of: 'Cart API', criteria: 2 }],
        ['Answer 201 with the cart', 'pending', 'critical', { part_of: 'Cart API', after: ['Validate the body'] }],
        ['Totals are off by one cent', 'blocked', 'medium'],
        ['Gift cards', 'blocked', 'low'],
      ],
    ],
    [
      'github',
      [
        ['Open the shop', 'pending', 'medium', { criteria: 1 }],
        ['Build the cart API', 'completed', 'medium', { part_of: 'Open the shop' }],
        [
          'Build the checkout page',
          'pending',
          'high',
          { part_of: 'Open the shop', after: ['Build the cart API'], criteria: 2 },
        ],
        ['Support gift cards', 'cancelled', 'medium'],
        [
          'Send receipts by mail',
          'pending',
          'low',
          { part_of: 'Open the shop', after: ['Build the cart API', 'Build the checkout page'] },
        ],
      ],
    ],
    [
      'markdown',
      [
        ['Design the schema', 'completed', 'high'],
        ['Build the API', 'pending', 'critical', { criteria: 2 }],
        ['Validate the body', 'pending', 'medium', { part_of: 'Build the API' }],
        ['Gift cards (next year)', 'cancelled', 'medium'],
        ['Build the page', 'pending', 'low', { after: ['Build the API'] }],
        ['Choose a payment provider', 'blocked', 'medium'],
      ],
    ],
  ])('%s keeps statuses, priorities, dependencies, parents and criteria', async ([format, expected], { as }) => {
    const plan = planAdoption(await read(format));

    const done = await adoptTasks(as('ada'), plan, await source(as('ada'), format));

    expect(done).toMatchObject({ created: expected.length, present: 0 });
    expect(shape(await tasksOf(as('ada')))).toEqual(
      expected.map(([title, status, priority, rest]) => ({
        title,
        status,
        priority,
        criteria: 0,
        after: [],
        part_of: undefined,
        ...rest,
      })),
    );
  });

  test('tells whoever claims it where a task in progress stood', async ({ as }) => {
    await adoptTasks(as('ada'), planAdoption(await read('beads')), await source(as('ada'), 'beads'));

    const claim = await call(as('ada'), 'claim_task', { task: 'shop-3' });

    expect(claim).toMatchObject({ previous: { outcome: 'paused', reason: 'It was in_progress in Beads.' } });
  });

  test('again changes nothing, also after agents went on with it', async ({ as }) => {
    const plan = planAdoption(await read('task-master'));
    const where = await source(as('ada'), 'task-master');
    await adoptTasks(as('ada'), plan, where);
    await call(as('ada'), 'update_task', { task: 'shop-8', status: 'unblocked' });
    await call(as('ada'), 'update_task', { task: 'shop-1', status: 'reopened', reason: 'Once more.' });
    const { position } = await getProject(as('ada'), { project: 'shop' });

    const again = await adoptTasks(as('ada'), plan, where);

    expect(again).toMatchObject({ created: 0, present: 8, moved: 0 });
    expect((await getProject(as('ada'), { project: 'shop' })).position).toBe(position);
  });

  test('goes on where it was interrupted', async ({ as }) => {
    const plan = planAdoption(await read('task-master'));
    const where = await source(as('ada'), 'task-master');
    // The state after a crash: some tasks exist without their status, one is claimed.
    const pending = { ...plan, tasks: plan.tasks.slice(0, 4).map((task) => ({ ...task, status: 'pending' as const })) };
    await adoptTasks(as('ada'), pending, where);
    await call(as('import'), 'claim_task', { task: 'shop-1' });

    const done = await adoptTasks(as('ada'), plan, where);

    expect(done).toMatchObject({ created: 4, present: 4, moved: 5, warnings: [] });
    const statuses = (await tasksOf(as('ada'))).map(({ status }) => status);
    expect(statuses).toEqual([
      'completed',
      'pending',
      'completed',
      'pending',
      'pending',
      'pending',
      'cancelled',
      'blocked',
    ]);
  });

  test('blocks what a gate of the project refuses to complete, and says so', async ({ as }) => {
    const rules = { gates: [{ on: 'complete', require: { decision: true } }] };
    const project = await createProject(as('ada'), { slug: 'shop', name: 'Shop', rules });

    const done = await adoptTasks(as('ada'), planAdoption(await read('markdown')), { project, format: 'markdown' });

    expect(done.warnings).toEqual([expect.stringMatching(/Design the schema: it could not become completed/)]);
    expect((await tasksOf(as('ada')))[0]).toMatchObject({
      status: 'blocked',
      blocked_reason: expect.stringMatching(/marked so in the checklist[\s\S]*cannot complete yet/),
    });
  });

  test('takes a chain of 300 tasks, the last one first', async ({ as }) => {
    const chain = Array.from({ length: 300 }, (_, at): ForeignTask => {
      const dependencies = at === 299 ? [] : [`t${at + 1}`];
      return { key: `t${at}`, place: `line ${at}`, title: `Task ${at}`, status: 'pending', dependencies };
    });

    const done = await adoptTasks(as('ada'), planAdoption(chain), await source(as('ada'), 'markdown'));

    expect(done).toMatchObject({ created: 300, warnings: [] });
    expect(await listTasks(as('ada'), { project: 'shop', ready: true, page_size: 5 })).toMatchObject({
      counts: { ready: 1, pending: 300 },
      tasks: [{ ref: 'shop-1', title: 'Task 299' }],
    });
  });
});

describe('exporting', () => {
  test.for<[name: string, FormatName, write: (tasks: Task[]) => string]>([
    ['a checklist', 'markdown', (tasks) => writeChecklist('Shop', tasks)],
    ['JSON', 'cairn', (tasks) => writeTasks({ slug: 'shop', name: 'Shop' } as never, tasks)],
  ])('as %s and importing that gives the same tasks', async ([, format, write], { as }) => {
    await adoptTasks(as('ada'), planAdoption(await read('backlog')), await source(as('ada'), 'backlog'));
    const before = await tasksOf(as('ada'));
    const text = write(before);

    expect(detectFormat({ path: 'x', text })).toBe(format);
    const plan = planAdoption(readForeign(format, [{ path: 'x', text }]).tasks);
    await adoptTasks(as('ada'), plan, await source(as('ada'), format, 'copy'));

    expect(shape(await tasksOf(as('ada'), 'copy'))).toEqual(shape(before));
  });

  test('as CSV quotes what needs it, and lets no cell be a formula', async ({ as }) => {
    await source(as('ada'), 'markdown');
    await call(as('ada'), 'create_tasks', { tasks: [{ title: '=HYPERLINK("x")', description: 'One,\n"two"' }] });

    const csv = writeCsv(await tasksOf(as('ada')));

    const [first] = await tasksOf(as('ada'));
    for (const begin of ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
      expect(writeCsv([{ ...first, ref: `${begin}1` } as Task])).toMatch(new RegExp(`\r\n"?'\\${begin}1"?,`));
    }
    expect(csv.split('\r\n')[1]).toMatch(/^shop-1,"'=HYPERLINK\(""x""\)",pending,medium,,,,"One,\n""two""",/);
  });
});
