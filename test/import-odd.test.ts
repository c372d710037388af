import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSource } from '../src/commands/import-source.ts';
import type { Task } from '../src/events/tasks.ts';
import { writeChecklist } from '../src/formats/checklist-writer.ts';
import { type FormatName, readForeign } from '../src/formats/formats.ts';
import { planAdoption } from '../src/services/adoption-plan.ts';

const read = (format: FormatName, text: string) => readForeign(format, [{ path: 'x', text }]);

async function folderOf(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-import-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

describe('a checklist', () => {
  test('reads a wrapped item as one, its hints from the end', () => {
    const { tasks } = read(
      'markdown',
      '- [ ] W-1: Wire the form to\n      the endpoint\n  soon (high, after W-2)\n- [x] W-2: B\n',
    );

    expect(tasks).toMatchObject([
      { key: 'W-1', title: 'Wire the form to the endpoint soon', priority: 'high', dependencies: ['W-2'] },
      { key: 'W-2', title: 'B', status: 'completed' },
    ]);
  });

  test('knows an item without a name by its first line, as before it was read whole', () => {
    expect(read('markdown', '## S\n- [ ] First line\n  and second\n').tasks[0]).toMatchObject({
      key: 'S /  / First line',
    });
  });

  test('has items with unknown marks pending, and says so', () => {
    const { tasks, warnings } = read('markdown', '- [>] Moved\n- [🔥] Hot\n');

    expect(tasks.map(({ title, status }) => [title, status])).toEqual([
      ['Moved', 'pending'],
      ['Hot', 'pending'],
    ]);
    expect(warnings).toEqual([
      'x line 1: [>] is none of [ ] [x] [/] [-] [!], so it is pending.',
      'x line 2: [🔥] is none of [ ] [x] [/] [-] [!], so it is pending.',
    ]);
  });

  test('gives paragraphs and code below an item to its description', () => {
    const text = '- [ ] A\n\n  Because of this.\n\n  ```\n    - [ ] no item\n\n  x\n  ```\n  - holds\n- [ ] B\n';
    const { tasks, warnings } = read('markdown', text);

    expect(tasks).toMatchObject([
      {
        description: 'Because of this.\n\n```\n  - [ ] no item\n\nx\n```',
        acceptance_criteria: ['holds'],
      },
      { title: 'B', description: undefined, acceptance_criteria: [] },
    ]);
    expect(warnings).toEqual([]);
  });

  test('names what belongs to no item by its lines', () => {
    const text = '- [ ] A\n- beside\n  more\n  - below it\n\nText.\n- [ ] B\n';

    expect(read('markdown', text).warnings).toEqual([
      'x lines 2-6: left out what belongs to no item: "- beside more - below it Text.".',
    ]);
  });

  test('is written so that a criterion with a box is read as a criterion', () => {
    const criteria = ['[ ] box', '\\[ ] escaped', '[x](link)', '- dash', '\\\\[x'];
    const task = { ref: 'web-1', title: 'A', status: 'pending', priority: 'low', dependencies: [] };
    const written = writeChecklist('Web', [{ ...task, acceptance_criteria: criteria } as unknown as Task]);

    expect(read('markdown', written).tasks).toMatchObject([{ title: 'A', acceptance_criteria: criteria }]);
  });
});

describe('records of other tools', () => {
  test('of Backlog.md link by number to a page whose prefix was changed', () => {
    const page = (front: string) => ({ path: front, text: `---\n${front}\n---\n` });
    const { tasks } = readForeign('backlog', [
      page('id: BACK-4\ntitle: A'),
      page('id: BACK-5\ntitle: B\ndependencies: [task-4, task-9, other-6]\nparent_task_id: task-4'),
      page('id: BACK-6\ntitle: C'),
      page('id: OTHER-9\ntitle: D'),
      page('id: BACK-9\ntitle: E'),
    ]);

    expect(tasks.find(({ key }) => key === 'BACK-5')).toMatchObject({
      dependencies: ['BACK-4', 'TASK-9', 'BACK-6'],
      parent: 'BACK-4',
    });
  });

  test('of Backlog.md may name people as its older versions did', () => {
    const { tasks, warnings } = read('backlog', "---\nid: T-1\ntitle: A\nreporter: @ann's\nassignee:\n  - @bob\n---\n");

    expect(tasks).toMatchObject([{ description: expect.stringContaining("reporter: @ann's\nassignee: @bob") }]);
    expect(warnings).toEqual([]);
  });

  test('of Task Master keep an old list and tags apart, and link to the sibling that there is', () => {
    const subtasks = [
      { id: 1, title: 'P', dependencies: [2] },
      { id: 2, title: 'Q', dependencies: [9] },
    ];
    const master = {
      tasks: [
        { id: 1, title: 'T', dependencies: [9], subtasks },
        { id: 9, title: 'N' },
      ],
    };
    const { tasks } = read('task-master', JSON.stringify({ tasks: [{ id: 1, title: 'Old' }], master }));

    expect(tasks.map(({ key, dependencies }) => [key, dependencies])).toEqual([
      ['1', []],
      ['master:1', ['master:9']],
      ['master:1.1', ['master:1.2']],
      ['master:1.2', ['master:9']],
      ['master:9', []],
    ]);
  });

  test('of GitHub’s API say why an issue was closed', () => {
    const issue = { number: 1, title: 'A', state: 'closed', state_reason: 'not_planned', labels: ['P1'] };

    expect(read('github', JSON.stringify([issue])).tasks).toMatchObject([{ status: 'cancelled', priority: 'high' }]);
  });

  test('keep what was said of an end that is none, and what is longer than a summary', () => {
    const long = 'word '.repeat(900).trim();
    const { tasks } = planAdoption([
      { key: 'a', place: 'x', title: 'A', status: 'pending', remark: 'Nearly done', dependencies: [] },
      { key: 'b', place: 'y', title: 'B', status: 'completed', remark: long, dependencies: [] },
    ]);

    expect(tasks).toMatchObject([{ description: 'Nearly done' }, { description: long }]);
  });
});

describe('a folder', () => {
  const ISSUE = '{"id":"a","title":"A"}\n';
  const LIST = '{"tasks":[{"id":1,"title":"A"}]}';

  test.for<[string, Record<string, string>, FormatName]>([
    ['Beads', { '.beads/beads.jsonl': ISSUE }, 'beads'],
    ['Task Master', { 'tasks/tasks.json': LIST }, 'task-master'],
  ])('as an older %s left it is found', async ([, files, format]) => {
    expect(await readSource(await folderOf(files))).toMatchObject({ format, warnings: [] });
  });

  test('with a newer and an older file of one tool names the one that it did not read', async () => {
    const folder = await folderOf({ '.beads/issues.jsonl': ISSUE, '.beads/beads.jsonl': ISSUE });

    expect(await readSource(folder)).toMatchObject({
      files: [{ path: '.beads/issues.jsonl' }],
      warnings: ['.beads/beads.jsonl is there too and was not read: .beads/issues.jsonl was.'],
    });
  });

  test('with another tool’s tasks/tasks.json is not of two tools', async () => {
    const folder = await folderOf({ '.beads/issues.jsonl': ISSUE, 'tasks/tasks.json': '{"version":"2.0.0"}' });

    expect(await readSource(folder)).toMatchObject({ format: 'beads', warnings: [] });
  });
});
