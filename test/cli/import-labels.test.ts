import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { writeTasks } from '../../src/formats/cairn-tasks.ts';
import { writeChecklist } from '../../src/formats/checklist-writer.ts';
import { writeCsv } from '../../src/formats/csv.ts';
import type { ForeignTask } from '../../src/formats/foreign-task.ts';
import { type FormatName, readForeign } from '../../src/formats/formats.ts';
import { adoptTasks } from '../../src/services/adoption.ts';
import { planAdoption } from '../../src/services/adoption-plan.ts';
import { createProject } from '../../src/services/projects.ts';
import { getTask, listTasks } from '../../src/services/tasks.ts';
import { test } from '../support/world.ts';

const read = (format: FormatName, text: string) => readForeign(format, [{ path: 'x', text }]).tasks;

async function adopt(ctx: Context, tasks: ForeignTask[], slug = 'shop') {
  const project = await createProject(ctx, { slug, name: 'Shop' });
  return adoptTasks(ctx, planAdoption(tasks), { project, format: 'markdown' });
}

async function adopted(ctx: Context, project = 'shop') {
  const { tasks } = await listTasks(ctx, { project, page_size: 100 });
  return Promise.all(tasks.map(({ ref }) => getTask(ctx, { task: ref, timeline_size: 0 })));
}

describe('labels and ranks are taken over from', () => {
  test.for<[what: string, FormatName, text: string, wanted: object]>([
    [
      'a checklist',
      'markdown',
      '- [ ] A (high, rank -2.5, #ui, #needs design)\n',
      { title: 'A', priority: 'high', rank: -2.5, labels: ['ui', 'needs design'] },
    ],
    [
      'Backlog.md',
      'backlog',
      '---\nid: T-1\ntitle: A\nlabels: [ui, 7]\nordinal: 1000\n---\n',
      { labels: ['ui', '7'], rank: 1000 },
    ],
    [
      'Backlog.md, on one line',
      'backlog',
      '---\nid: T-1\ntitle: A\nlabels: ui, needs design\n---\n',
      { labels: ['ui', 'needs design'] },
    ],
    ['Beads', 'beads', '{"id":"a","title":"A","labels":["ui"]}', { labels: ['ui'] }],
    [
      'Task Master',
      'task-master',
      '{"tasks":[{"id":1,"title":"A","labels":["ui"],"tags":["api"]}]}',
      { labels: ['ui', 'api'] },
    ],
    [
      'GitHub, which has its priorities there',
      'github',
      '[{"number":1,"title":"A","labels":[{"name":"P1"},"ui"]}]',
      { priority: 'high', labels: ['P1', 'ui'] },
    ],
  ])('%s', async ([, format, text, wanted], { as }) => {
    await adopt(as('ada'), read(format, text));

    const [task] = await adopted(as('ada'));

    expect(task).toMatchObject(wanted);
    expect(task?.description ?? '').not.toMatch(/Labels|ordinal/);
  });

  test('an issue number in parentheses, or any other word there, stays in the title', () => {
    const titles = [
      'Fix it (#12)',
      'Fix it (high, #12)',
      'Ask (#)',
      'Ask (rank one)',
      'Ask (rank 1, rank 2)',
      'Call f(x)',
      'Empty ()',
    ];

    const tasks = read('markdown', titles.map((title) => `- [ ] ${title}\n`).join(''));

    expect(tasks.map(({ title }) => title)).toEqual(titles);
    expect(tasks.map(({ labels, rank }) => labels ?? rank)).toEqual(titles.map(() => undefined));
  });

  test('what Cairn has no room for: the description keeps it, a rank is named in a warning', async ({ as }) => {
    const long = `long ${'x'.repeat(60)}`;
    const labels = [...Array.from({ length: 21 }, (_, at) => `l${at}`), long, 'l1', ' \u200b '];
    const task = { place: 'x', status: 'pending' as const, dependencies: [] };

    const done = await adopt(as('ada'), [
      { ...task, key: 'a', title: 'A', labels },
      { ...task, key: 'b', title: 'B', rank: 1e300 },
      { ...task, key: 'c', title: 'C', rank: 1e-300 },
    ]);

    const [first] = await adopted(as('ada'));
    expect(first).toMatchObject({ labels: labels.slice(0, 20), description: `Labels: l20, ${long}` });
    expect(done.warnings).toEqual([
      'a: what is too long for its field is in the description as well.',
      'b: left out its rank 1e+300, which is too large or too small.',
      'c: left out its rank 1e-300, which is too large or too small.',
    ]);
  });
});

describe('labels and ranks of an export', () => {
  const NAMES = ['ui', '12', '#13', 'a, b', '(x) y', 'back\\slash\\', 'high', 'after web-1', 'needs (more), \\,'];

  test.for([['a checklist', 'markdown'] as const, ['JSON', 'cairn'] as const])(
    'as %s come back as they were',
    async ([, format], { as }) => {
      const task = { key: 'a', place: 'x', status: 'pending' as const, dependencies: [] };
      await adopt(as('ada'), [
        { ...task, title: 'A (urgent)', labels: NAMES, rank: 1.25e-7 },
        { ...task, key: 'b', title: 'B', rank: -1e15 },
        { ...task, key: 'c', title: 'C', labels: ['only'] },
      ]);
      const before = await adopted(as('ada'));
      const project = { slug: 'shop', name: 'Shop' } as never;
      const text = format === 'markdown' ? writeChecklist('Shop', before) : writeTasks(project, before);

      await adopt(as('ada'), read(format, text), 'copy');

      const said = (tasks: typeof before) => tasks.map(({ title, labels, rank }) => ({ title, labels, rank }));
      expect(said(before)[0]).toEqual({ title: 'A (urgent)', labels: NAMES, rank: 1.25e-7 });
      expect(said(await adopted(as('ada'), 'copy'))).toEqual(said(before));
    },
  );

  test('as CSV have columns of their own at its end', async ({ as }) => {
    await adopt(as('ada'), read('markdown', '- [ ] A (rank 2, #ui, #needs design)\n- [ ] B\n'));

    const rows = writeCsv(await adopted(as('ada'))).split('\r\n');

    expect(rows[0]).toMatch(/,unproven,labels,rank$/);
    expect(rows[1]).toMatch(/,"ui\nneeds design",2$/);
    expect(rows[2]).toMatch(/,,$/);
  });
});
