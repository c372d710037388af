import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readChecklist } from '../../src/formats/checklist.ts';
import { readTaskMaster } from '../../src/formats/task-master.ts';
import { openPersonWorld, type PersonWorld } from '../support/person-world.ts';

let world: PersonWorld;

beforeAll(async () => {
  world = await openPersonWorld();
});
afterAll(() => world.close());

const run: PersonWorld['run'] = (args, given) => world.run(args, given);
const PLAN = `# Shop

- [x] A1: Design
- [/] A2: Build
- [-] A3: Paint
- [ ] A4: Hang (after A3)
- [ ] A5: Whole
  - [ ] A6: Part (after A5)
`;

describe('an import that is only shown', () => {
  test('says what each task becomes, which is what it is afterwards', async () => {
    await writeFile(join(world.repository, 'plan.md'), PLAN);
    const shown = await run(['import', 'plan.md', '--project', 'shop', '--dry-run', '--json']);
    const planned = JSON.parse(shown.stdout).tasks.map((task: Record<string, string>) => [
      task['title'],
      task['becomes'],
    ]);

    const { stdout } = await run(['import', 'plan.md', '--project', 'shop']);

    expect(stdout).toContain('Created 6; 0 were there already; 3 kept their status');
    const { tasks } = JSON.parse((await run(['tasks', '--all', '--project', 'shop', '--json'])).stdout);
    const found = tasks.map(({ title, status }: Record<string, string>) => [title, status]);
    expect(new Map(found)).toEqual(new Map(planned));
    expect(new Map(found).get('Hang')).toBe('blocked');
  });

  test('tells a status that Cairn has not, and a part that waits for the whole', async () => {
    const { stdout } = await run(['import', 'plan.md', '--project', 'other', '--dry-run']);
    expect(stdout).toContain('A2 "Build" (pending; in progress there)');
    expect(stdout).toContain('! A6: it waits for A5, a part of which it is: neither becomes ready.');
    expect(stdout).not.toContain('left out');
  });
});

test('the name of a list is told of where the project has another', async () => {
  const again = await run(['import', 'plan.md', '--project', 'shop']);
  expect(again.stdout).not.toContain('heading');
  expect((await run(['import', 'plan.md', '--project', 'web', '--dry-run'])).stdout).toContain(
    '! The heading "Shop" was left out: the project is called "Web shop".',
  );
});

test('a file without tasks makes no project', async () => {
  await writeFile(join(world.repository, 'tasks.json'), '{"master": {"tasks": []}}');
  const { code, stdout } = await run(['import', 'tasks.json', '--project', 'empty']);
  expect([code, stdout]).toEqual([0, 'Task Master: no tasks. Nothing was changed.\n']);
  expect((await run(['project', 'list'])).stdout).not.toContain('empty');
});

test('a part that waits for the whole is told of when it is added and when it is made so', async () => {
  await run(['add'], { input: 'Whole\nPart\n' });
  const warning = expect.stringContaining('! It waits for web-1, a part of which it is');
  expect(await run(['add', 'x', '--parent', '1', '--after', '1'])).toMatchObject({ code: 0, stderr: warning });
  expect((await run(['edit', '2', '--parent', '1'])).stderr).toBe('');
  expect(await run(['edit', '2', '--after', '1'])).toMatchObject({ code: 0, stderr: warning });
});

test('a note ends where its words do', async () => {
  await run(['note', '1'], { input: 'The deploy\nis slow.\n\n' });
  const { events } = JSON.parse((await run(['log', '1', '--type', 'task.noted', '--json'])).stdout);
  expect(events[0].text).toContain('is slow."');
});

test('the heading that a checklist begins with is no loss, another of its level is', () => {
  const warned = (text: string) => {
    const warnings: string[] = [];
    readChecklist({ path: 'x', text }, (warning) => warnings.push(warning));
    return warnings;
  };
  expect(warned('\n# Shop\n\n- [ ] A\n')).toEqual([]);
  expect(warned('# Shop\n\n- [ ] A\n\n# Notes\n')).toEqual([expect.stringContaining('# Notes')]);
  expect(warned('Words\n\n# Shop\n\n- [ ] A\n')).toEqual([expect.stringContaining('Words # Shop')]);
});

test('a subtask of Task Master is called by its whole number', () => {
  const tasks = [{ id: 1, title: 'A', subtasks: [{ id: 2, title: 'B' }] }];
  const read = readTaskMaster({ path: 'x', text: JSON.stringify({ master: { tasks } }) }, () => {});
  expect(read.map(({ description }) => description)).toEqual(['Task Master: 1', 'Task Master: 1.2']);
});
