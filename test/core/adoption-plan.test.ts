import { describe, expect, test } from 'vitest';
import type { ForeignTask } from '../../src/formats/foreign-task.ts';
import { planAdoption } from '../../src/services/adoption-plan.ts';

describe('a plan', () => {
  const task = (key: string, rest: Partial<ForeignTask> = {}): ForeignTask => ({
    key,
    place: `line ${key}`,
    title: `Task ${key}`,
    status: 'pending',
    dependencies: [],
    ...rest,
  });

  test('leaves out links that lead nowhere, and says which', () => {
    const { tasks, warnings } = planAdoption([
      task('a', { dependencies: ['a', 'z'], parent: 'y', left_out: ['its colour'] }),
    ]);

    expect(tasks[0]).toMatchObject({ dependencies: [], parent: undefined });
    expect(warnings).toEqual([
      'a: left out its colour.',
      'a: left out the dependency on a, which is itself.',
      'a: left out the dependency on z, which is not in the file.',
      'a: left out the parent y, which is not in the file.',
    ]);
  });

  test('leaves out one parent of a circle', () => {
    const { tasks, warnings } = planAdoption([
      task('a', { parent: 'c' }),
      task('b', { parent: 'a' }),
      task('c', { parent: 'b' }),
      task('d', { parent: 'a' }),
    ]);

    expect(tasks.map(({ key, parent }) => [key, parent])).toEqual([
      ['a', undefined],
      ['b', 'a'],
      ['c', 'b'],
      ['d', 'a'],
    ]);
    expect(warnings).toEqual(['a: left out the parent c, which is a part of it.']);
  });

  test('lets what is completed wait for nothing', () => {
    const { tasks, warnings } = planAdoption([task('a', { status: 'completed', dependencies: ['b'] }), task('b')]);

    expect(tasks.map(({ key, dependencies }) => [key, dependencies])).toEqual([
      ['a', []],
      ['b', []],
    ]);
    expect(warnings).toEqual(['a: it is completed, so its dependency on b was left out.']);
  });

  test('keeps in the description what is too long for its field', () => {
    const title = 'x'.repeat(400);
    const { tasks, warnings } = planAdoption([task('a', { title, acceptance_criteria: Array(60).fill('Works') })]);

    expect(tasks[0]?.title).toHaveLength(300);
    expect(tasks[0]?.acceptance_criteria).toHaveLength(50);
    expect(tasks[0]?.description).toContain(title);
    expect(warnings).toHaveLength(1);
  });

  test('has in a warning what no description has room for', () => {
    const { tasks, warnings } = planAdoption([task('a', { description: `${'x'.repeat(19_990)} and the end of it` })]);

    expect(tasks[0]?.description).toHaveLength(20_000);
    expect(warnings).toEqual(['a: the description was cut to 20000 characters; left out: end of it']);
  });

  test('orders a chain as long as a file, the last one first', () => {
    const chain = Array.from({ length: 20_000 }, (_, at) =>
      task(`t${at}`, { dependencies: at === 19_999 ? [] : [`t${at + 1}`] }),
    );

    expect(planAdoption(chain).tasks.map(({ key }) => key)).toEqual(chain.map(({ key }) => key).reverse());
  });

  test('leaves out the link that closes a circle', () => {
    const { tasks, warnings } = planAdoption([
      task('a', { dependencies: ['b'] }),
      task('b', { dependencies: ['c'] }),
      task('c', { dependencies: ['b'] }),
    ]);

    expect(tasks.map(({ key, dependencies }) => [key, dependencies])).toEqual([
      ['c', []],
      ['b', ['c']],
      ['a', ['b']],
    ]);
    expect(warnings).toEqual(['c: left out the dependency on b, which waits for it.']);
  });

  test('gives the second of two with one name a name of its own, and links to the first', () => {
    const { tasks, warnings } = planAdoption([
      task('a', { place: 'line 1', title: 'First' }),
      task('a', { place: 'line 7', title: 'Second' }),
      task('a (2)'),
      task('b', { dependencies: ['a'] }),
    ]);

    expect(tasks.map(({ key, title }) => [key, title])).toEqual([
      ['a', 'First'],
      ['a (3)', 'Second'],
      ['a (2)', 'Task a (2)'],
      ['b', 'Task b'],
    ]);
    expect(warnings).toEqual(['line 7 has the name a, like line 1: it is called a (3), and links mean the first.']);
  });

  test('puts what a task is a part of, and comes from, before it', () => {
    const { tasks, warnings } = planAdoption([
      task('part', { parent: 'whole', discovered_from: 'origin' }),
      task('next', { dependencies: ['part'] }),
      task('early', { parent: 'waits' }),
      task('waits', { dependencies: ['early'] }),
      task('whole'),
      task('origin'),
    ]);

    expect(tasks.map(({ key }) => key)).toEqual(['whole', 'origin', 'part', 'next', 'early', 'waits']);
    expect(warnings).toEqual([]);
  });
});
