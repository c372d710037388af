import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { resultOf } from '../../src/server/mcp/output.ts';
import { planAdoption } from '../../src/services/adoption-plan.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { call, plan } from '../support/calls.ts';
import { test } from '../support/world.ts';

const answerOf = (ctx: Context, tool: string, input: object) => callTool(ctx, toolNamed(tool), input);

async function noticesOf(ctx: Context, tool: string, input: object): Promise<string[]> {
  const { text, notices } = await answerOf(ctx, tool, input);
  expect(text.endsWith(['', ...notices].join('\n'))).toBe(true);
  return notices;
}

describe('a write that left something out of a text says so', () => {
  test.for<[what: string, text: string, said: string]>([
    ['NUL', 'a\0b\0', '2 NUL characters were left out of description.'],
    ['half of a pair', '\ud800a', '1 lone surrogate was left out of description.'],
    ['an escape', 'a\u001b[2J', '1 control character was left out of description.'],
    ['a line break of old', 'a\rb\r\nc', '1 control character was left out of description.'],
    ['what turns text round', 'a\u202eb', '1 bidirectional control was left out of description.'],
    ['several', '\0\u202e\0', '2 NUL characters and 1 bidirectional control were left out of description.'],
  ])('%s', async ([, description, said], { as }) => {
    expect(await noticesOf(as('ada'), 'create_project', { slug: 'web', name: 'Web', description })).toEqual([said]);
  });

  test('in fields within others, in names, keys and the worker', async ({ as }) => {
    await plan(as('ada'), []);
    const task = { title: 'A\0', acceptance_criteria: ['It runs', '\0It stops'] };
    const snapshot = { deep: [{ 'ke\0y': 'b\0' }] };

    expect(await noticesOf(as('ada'), 'create_tasks', { project: 'web', tasks: [task], as: 't\0' })).toEqual([
      '1 NUL character was left out of tasks[0].title.',
      '1 NUL character was left out of tasks[0].acceptance_criteria[1].',
      '1 NUL character was left out of as.',
    ]);
    expect(
      await noticesOf(as('ada'), 'save_checkpoint', { project: 'web', label: 'L', summary: 'S', snapshot }),
    ).toEqual([
      '1 NUL character was left out of snapshot.deep[0].',
      '1 NUL character was left out of snapshot.deep[0].key.',
    ]);
  });

  test('of many texts the first, and how many more', async ({ as }) => {
    await plan(as('ada'), []);
    const tasks = Array.from({ length: 8 }, () => ({ title: 'A\0' }));

    expect((await noticesOf(as('ada'), 'create_tasks', { project: 'web', tasks })).at(-1)).toBe(
      'The same goes for 3 more texts.',
    );
  });

  test('beside the data too, for a program', async ({ as }) => {
    const answer = await answerOf(as('ada'), 'create_project', { slug: 'web', name: 'W\0' });

    const { content, structuredContent } = resultOf(answer, 'json');

    expect(content.slice(1)).toEqual([{ type: 'text', text: '1 NUL character was left out of name.' }]);
    expect(structuredContent).toMatchObject({ name: 'W' });
  });

  test('and nothing of what is kept: pairs, tabs, line breaks of Windows', async ({ as }) => {
    const { notices } = await answerOf(as('ada'), 'create_project', {
      slug: 'web',
      name: 'W',
      description: '😀\ta\r\nb\u200d',
    });

    expect(notices).toEqual([]);
  });

  test('a read says nothing of it', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);

    expect(await answerOf(as('ada'), 'list_tasks', { query: 'a\0' })).toMatchObject({ notices: [] });
    expect(await call(as('ada'), 'list_tasks', { query: 'a\0' })).toMatchObject({ tasks: [{ ref: 'web-1' }] });
  });
});

test('an import warns of what it left out of the texts of a task', () => {
  const task = { key: 'a', place: 'x', title: 'A\0', description: 'b\ud800', status: 'completed' as const };

  const { tasks, warnings } = planAdoption([
    { ...task, remark: 'Done\0', acceptance_criteria: ['c\0', 'd'], dependencies: [] },
  ]);

  expect(warnings).toEqual([
    'a: 1 NUL character was left out of its title.',
    'a: 1 lone surrogate was left out of its description.',
    'a: 1 NUL character was left out of its acceptance criteria.',
    'a: 1 NUL character was left out of its remark.',
  ]);
  expect(tasks[0]).toMatchObject({ title: 'A', description: 'b', remark: 'Done', acceptance_criteria: ['c', 'd'] });
});
