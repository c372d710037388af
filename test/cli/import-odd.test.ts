import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSource } from '../../src/cli/move/import-source.ts';
import type { Task } from '../../src/events/task-forms.ts';
import { writeChecklist } from '../../src/formats/checklist-writer.ts';
import { detectFormat, type FormatName, readForeign } from '../../src/formats/formats.ts';
import { planAdoption } from '../../src/services/adoption-plan.ts';

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
      page('id: BACK-5\ntitle: B\ndependencies: [task-4, task-9, other-6, 6]\nparent_task_id: task-4'),
      page('id: BACK-6\ntitle: C'),
      page('id: OTHER-9\ntitle: D'),
      page('id: BACK-9\ntitle: E'),
    ]);

    expect(tasks.find(({ key }) => key === 'BACK-5')).toMatchObject({
      // An id with another prefix, such as an epic's, names something else.
      dependencies: ['BACK-4', 'TASK-9', 'OTHER-6', 'BACK-6'],
      parent: 'BACK-4',
    });
  });

  test('of Backlog.md have headings in their code that begin no section', () => {
    const code = '```md\n## Acceptance Criteria\n- [ ] Not this\n```';
    const criteria = '## Acceptance Criteria\n- [ ] #1 This\n';
    const { tasks } = read('backlog', `---\nid: T-1\ntitle: A\n---\n## Description\n${code}\n${criteria}`);

    expect(tasks).toMatchObject([{ description: expect.stringContaining(code), acceptance_criteria: ['This'] }]);
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

  test('of Task Master may be in an array in place of the tag, their parts numbered in full', () => {
    const subtasks = [
      { id: '1.1', title: 'P', acceptanceCriteria: '- Holds\n- Stays' },
      { id: '1.2', title: 'Q', dependencies: ['1.1'] },
      { id: 1.3, title: 'R', dependencies: [2] },
    ];
    const text = JSON.stringify({ master: [{ id: '1', title: 'T', subtasks }], tags: ['a', 'b'] });
    const { tasks, warnings } = read('task-master', text);

    expect(detectFormat({ path: 'x', text })).toBe('task-master');
    expect(tasks.map(({ key, parent, dependencies }) => [key, parent, dependencies])).toEqual([
      ['1', undefined, []],
      ['1.1', '1', []],
      ['1.2', '1', ['1.1']],
      ['1.3', '1', ['1.2']],
    ]);
    expect(tasks[1]).toMatchObject({ acceptance_criteria: ['Holds', 'Stays'] });
    expect(warnings).toEqual(['x: left out tags: a, b.']);
  });

  test('of Task Master are read from both states of a file that a merge put together, without its broken end', () => {
    const old = JSON.stringify({ tasks: [{ id: 1, title: 'Says "}" and \\' }] });
    const tagged = JSON.stringify({ master: { tasks: [{ id: 2, title: 'B' }] } });
    const { tasks, warnings } = read('task-master', `${old}\n${tagged}\n>>> end`);

    expect(tasks.map(({ key }) => key)).toEqual(['1', 'master:2']);
    expect(warnings).toEqual(['x: what follows the end of its JSON is none, so it was skipped: ">>> end".']);
  });

  test('of Task Master are read from a file of nothing but ends', () => {
    const { tasks, warnings } = read('task-master', `{"tasks":[{"id":1,"title":"A"}]}${'{}'.repeat(1_000_000)}`);

    expect(tasks).toHaveLength(1);
    expect(warnings).toHaveLength(1);
  });

  test('of Beads that a merge left twice are as they were last, and two issues with one id are two', () => {
    const text = [
      '<<<<<<< HEAD',
      '{"id":"a-1","title":"A","status":"closed","updated_at":"2025-10-16T00:18:04-07:00"}',
      '{"id":"a-2","title":"B","status":"open"}',
      '=======',
      '{"id":"a-1","title":"A","status":"open","updated_at":"2025-10-16T06:00:00Z"}',
      '{"id":"a-2","title":"Another","status":"closed"}',
      '>>>>>>> theirs',
    ].join('\n');
    const { tasks, warnings } = read('beads', text);

    expect(detectFormat({ path: 'x', text })).toBe('beads');
    expect(tasks.map(({ title, status }) => [title, status])).toEqual([
      ['A', 'completed'],
      ['B', 'pending'],
      ['Another', 'completed'],
    ]);
    expect(warnings).toContainEqual(
      expect.stringMatching(/^x line 5: a-1 is as it was before x line 2, so it was skip/),
    );
  });

  test.for<[FormatName, string]>([
    ['beads', '[{"id":"a-1","title":"A","issue_type":"task","status":"closed"}]'],
    ['task-master', '[{"id":1,"title":"A","status":"done"}]'],
    ['github', '[{"number":1,"title":"A","state":"CLOSED"}]'],
  ])('of %s in an array are in the state that they have', ([format, text]) => {
    expect(detectFormat({ path: 'x', text })).toBe(format);
    expect(read(format, text).tasks).toMatchObject([{ title: 'A', status: 'completed' }]);
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

  const page = (id: number) => `---\nid: T-${id}\ntitle: A\n---\n`;

  test('of Backlog.md gives the pages in folders below it too, and names those that it did not read', async () => {
    const folder = await folderOf({
      'backlog/tasks/t-1.md': page(1),
      'backlog/tasks/epics/one/t-2.md': page(2),
      'backlog/completed/t-3.md': page(3),
      'backlog/archive/tasks/t-4.md': page(4),
      'backlog/drafts/t-5.md': page(5),
      'backlog/docs/doc.md': page(6),
    });
    const named = async (path: string) => (await readSource(join(folder, path))).files.map((file) => file.path);

    expect(await named('.')).toEqual(['tasks/epics/one/t-2.md', 'tasks/t-1.md', 'completed/t-3.md']);
    expect(await named('backlog/tasks')).toEqual(['epics/one/t-2.md', 't-1.md']);
    expect(await named('backlog/drafts')).toEqual(['t-5.md']);
    expect((await readSource(folder)).warnings).toEqual([
      'drafts (1) was not read: import that folder by its path as well.',
      'archive/tasks (1) was not read: import that folder by its path as well.',
    ]);
  });

  test.for<['utf16le' | 'latin1', string]>([
    ['utf16le', '\uFEFF'],
    ['latin1', ''],
  ])('with a file in %s is read as far as it can be, and says so', async ([encoding, mark]) => {
    const folder = await folderOf({});
    const path = join(folder, 'issues.jsonl');
    await writeFile(path, Buffer.from(`${mark}{"id":"a","title":"Caf"}\r\n{"id":"b","title":"é"}\r\n`, encoding));

    const { files, warnings } = await readSource(path);

    const [title, warned] = encoding === 'latin1' ? ['\uFFFD', 1] : ['é', 0];
    expect(files[0]?.text).toBe(`{"id":"a","title":"Caf"}\r\n{"id":"b","title":"${title}"}\r\n`);
    expect(warnings.filter((warning) => /is not all UTF-8: \uFFFD .* in line 2\.$/.test(warning))).toHaveLength(warned);
  });

  test('with another tool’s tasks/tasks.json is not of two tools', async () => {
    const folder = await folderOf({ '.beads/issues.jsonl': ISSUE, 'tasks/tasks.json': '{"version":"2.0.0"}' });

    expect(await readSource(folder)).toMatchObject({ format: 'beads', warnings: [] });
  });
});
