import { describe, expect, test } from 'vitest';
import type { Task } from '../../src/events/task-forms.ts';
import { writeChecklist } from '../../src/formats/checklist-writer.ts';
import { detectFormat, readForeign } from '../../src/formats/formats.ts';

const readChecklist = (text: string) => readForeign('markdown', [{ path: 'x.md', text }]);
const SEPARATORS = [
  ['U+2028', '\u2028'],
  ['U+2029', '\u2029'],
  ['U+0085', '\u0085'],
  ['a vertical tab', '\v'],
] as const;

describe.each(SEPARATORS)('%s in a line of a checklist', (_, separator) => {
  test('ends no item, and each keeps its state', () => {
    const { tasks } = readChecklist(
      `- [ ] first (high)\n- [x] Deploy${separator}the app (low)\n- [ ] third\n  - one${separator}two\n`,
    );

    expect(tasks).toMatchObject([
      { title: 'first', status: 'pending', priority: 'high' },
      { title: expect.stringMatching(/^Deploy[\s\p{Cc}]*the app$/u), status: 'completed', priority: 'low' },
      { title: 'third', acceptance_criteria: [expect.stringMatching(/^one[\s\p{Cc}]*two$/u)] },
    ]);
  });

  test('comes back from an export', () => {
    const task = {
      ref: 'web-1',
      title: 'A',
      status: 'pending',
      priority: 'medium',
      labels: ['q r'],
      dependencies: [],
      acceptance_criteria: [],
      description: `l1${separator}- [ ] x\nl2`,
    } as unknown as Task;

    const { tasks, warnings } = readChecklist(writeChecklist('Web', [task]));

    expect(warnings.filter((warning) => !warning.includes('# Web'))).toEqual([]);
    expect(tasks).toMatchObject([{ title: 'A', labels: ['q r'], description: task.description }]);
  });
});

test.each(['\r', '\r\n', '\n'])('lines that end with %j are lines', (end) => {
  const text = ['- [x] one', '- [ ] two', '  - shown'].join(end);

  expect(detectFormat({ path: 'plan.md', text })).toBe('markdown');
  expect(readChecklist(text).tasks).toMatchObject([
    { title: 'one', status: 'completed' },
    { title: 'two', status: 'pending', acceptance_criteria: ['shown'] },
  ]);
});

test('a record that nests without end keeps no other one out, nor itself', () => {
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  const issue = (id: string, more = '') => `{"id":"${id}","title":"T ${id}","status":"open","priority":1${more}}`;
  const text = [issue('a', `,"x":${deep}`), issue('b')].join('\n');

  const { tasks } = readForeign('beads', [{ path: 'issues.jsonl', text }]);

  expect(tasks).toMatchObject([
    { title: 'T a', description: expect.stringContaining('more than 100 levels deep') },
    { title: 'T b' },
  ]);
});

test('an issue of Beads that got another title on one side of a merge is one', () => {
  const issue = (title: string, status: string, day: number) =>
    JSON.stringify({
      id: 'x-1',
      title,
      status,
      created_at: '2026-01-01T00:00:00Z',
      updated_at: `2026-01-0${day}T00:00:00Z`,
    });
  const text = [issue('A', 'open', 2), issue('A newer', 'closed', 3)].join('\n');

  const { tasks, warnings } = readForeign('beads', [{ path: 'issues.jsonl', text }]);

  expect(tasks).toMatchObject([{ title: 'A newer', status: 'completed' }]);
  expect(warnings).toEqual([expect.stringContaining('"A"')]);
});
