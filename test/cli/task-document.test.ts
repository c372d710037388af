import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readTaskDocument, taskDocument } from '../../src/cli/tasks/task-document.ts';

const line = fc.oneof(
  fc.string({ minLength: 1, maxLength: 40 }),
  fc.constantFrom('# A heading', '## Acceptance criteria', '[ ] a box', '- a bullet', '1. one', '```', 'Опубликовать'),
);
const oneLine = line.map((text) => text.replace(/[\r\n\t]/g, ' ').trim()).filter((text) => text !== '');
const task = fc.record({
  title: oneLine,
  description: fc.array(line, { maxLength: 6 }).map((lines) => lines.join('\n').replace(/\r/g, '').trim()),
  acceptance_criteria: fc.array(oneLine, { maxLength: 4 }),
});

test('a task is the same after it was written as a document and read again', () => {
  fc.assert(
    fc.property(task, (given) => {
      // A mark at the beginning is taken for that of the heading or the list.
      fc.pre(!/^#\s/.test(given.title));
      expect(readTaskDocument(taskDocument(given))).toEqual(given);
    }),
    { numRuns: 500 },
  );
});

test('what a person leaves out of a document is empty, and a line that begins no bullet goes on', () => {
  expect(readTaskDocument('Draw the icons')).toEqual({
    title: 'Draw the icons',
    description: '',
    acceptance_criteria: [],
  });
  expect(readTaskDocument('# A\n\n## Acceptance criteria\n- one\n  goes on\n2. two\n')).toMatchObject({
    acceptance_criteria: ['one goes on', 'two'],
  });
});
