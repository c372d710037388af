import { expect, test } from 'vitest';
import { readForeign } from '../../src/formats/formats.ts';

const readTaskMaster = (text: string) => readForeign('task-master', [{ path: 'x', text }]);

test('tasks of Task Master that a merge left in two states are as they were last, part by part', () => {
  const done = { id: 1, title: 'A', status: 'done', updatedAt: '2026-01-02T00:00:00Z' };
  const open = { ...done, status: 'pending', updatedAt: '2026-01-01T00:00:00Z' };
  const parts = (...titles: string[]) => titles.map((title) => ({ id: title, title, status: 'pending' }));
  const first = [
    { ...done, subtasks: parts('p', 'q') },
    { id: 2, title: 'B', status: 'done' },
    { id: 4, title: 'D' },
  ];
  const second = [
    { ...open, subtasks: [{ id: 'p', title: 'p', status: 'done' }, ...parts('r')] },
    { id: '2', title: 'B', status: 'pending' },
    { id: 3, title: 'C' },
    { id: 4, title: 'Other D' },
  ];
  const { tasks, warnings } = readTaskMaster(`${JSON.stringify({ tasks: first })}${JSON.stringify({ tasks: second })}`);

  expect(tasks.map(({ key, title, status }) => [key, title, status])).toEqual([
    ['1', 'A', 'completed'],
    ['1.p', 'p', 'pending'],
    ['1.r', 'r', 'pending'],
    ['1.q', 'q', 'pending'],
    ['2', 'B', 'pending'],
    ['4', 'D', 'pending'],
    ['3', 'C', 'pending'],
    ['4', 'Other D', 'pending'],
  ]);
  expect(warnings).toEqual([
    expect.stringMatching(/^tasks: 1 "A" is there in two states.*pending.*2026-01-01/),
    expect.stringMatching(/^tasks 1: p "p" is there in two states.*done/),
    expect.stringMatching(/^tasks: 2 "B" is there in two states.*done/),
  ]);
});

test('tasks of two tags, and two that are called alike in one state, are no states of one', () => {
  const tasks = [
    { id: 1, title: 'A', status: 'done' },
    { id: 1, title: 'A', status: 'pending' },
  ];
  const state = JSON.stringify({ master: { tasks }, other: { tasks } });

  const read = readTaskMaster(`${state}\n${state}`);

  expect(read.tasks.map(({ key, status }) => [key, status])).toEqual([
    ['1', 'completed'],
    ['1', 'pending'],
    ['other:1', 'completed'],
    ['other:1', 'pending'],
  ]);
  expect(read.warnings).toEqual([]);
});
