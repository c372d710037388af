import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checklistName } from '../../src/formats/checklist.ts';
import type { SourceFile } from '../../src/formats/foreign-task.ts';
import { type FormatName, readForeign } from '../../src/formats/formats.ts';
import { planAdoption } from '../../src/services/adoption-plan.ts';

// Every word of a source is in a task, in a warning that quotes it, or in a warning that names its lines.

const rows = (...given: unknown[]) =>
  given.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n');

const SOURCES: Record<FormatName, SourceFile[]> = {
  markdown: [
    {
      path: 'plan.md',
      text: `# The shop

A word before all.

## Phase one

### Cart

- [ ] C-1: Wire the form to the
      new endpoint by
March (high, rank 2.5, after C-2, #needs care, #a\\, b)
  > Quoted reason
  goes on lazily

  A paragraph with the reason,
  on two lines.

  \`\`\`sh
  - [ ] code that is no item

  npm run deploy
  \`\`\`
  - A criterion that goes
    on a line later
  - \\[ ] a box is drawn
  - [>] Part that moved on
    - deep criterion
- [x] C-2: Done long ago
- a bullet beside the items
  with more of it
  - and one below it

| a | table |
***
## Empty section

Text at the end.

- [?] Unsure
1. [ ] Numbered
~~~
- [ ] fenced outside
`,
    },
  ],
  backlog: [
    {
      path: 'task-1.md',
      text: `---
# a comment of somebody
id: BACK-1
title: 2024
status: Unheard of
assignee: ["@ann", "@bob"]
labels: [ui, 7]
ordinal: 1500
dependencies: [task-2]
priority: asap
references:
  - title: Design
    url: https://example.com/design
milestone: {name: m-1}
---
Text before the first heading

## Description

<!-- SECTION:DESCRIPTION:BEGIN -->
What to do. <!-- a person's comment -->
<!-- another one -->
<!-- SECTION:DESCRIPTION:END -->

## Acceptance Criteria
<!-- AC:BEGIN -->
Some words on the criteria
- [x] #1 First holds
- [ ] #2 Second holds
  continued below
<!-- AC:END -->

## Notes

notes of Monday

## Notes

notes of Friday

## Empty heading

## Final Summary

Ended well.
`,
    },
    { path: 'task-2.md', text: '---\nid: BACK-2\ntitle: Two\n---\n' },
    { path: 'readme.md', text: '# Tasks of ours\n' },
    { path: 'broken.md', text: '---\nid: [\n---\nx\n' },
  ],
  beads: [
    {
      path: 'issues.jsonl',
      text: rows(
        {
          id: 'a-1',
          title: 'Ask',
          status: 'weird state',
          priority: 'P1',
          estimate: 90,
          assignee: 'ann',
          labels: ['ui', 5],
          acceptance_criteria: ['It asks', 'It answers'],
          close_reason: 'closed once before',
          metadata: { deep: [{ note: 'far below' }, 7] },
          comments: [
            { id: 1, author: 'ann', text: 'Use the queue', created_at: '2026-01-02' },
            { body: 'odd one' },
            'bare',
          ],
          dependencies: [
            { depends_on_id: 'a-2', type: 'parent-child', created_by: 'cyd' },
            { depends_on_id: 'a-3', type: 'parent-child' },
            { depends_on_id: 'a-3', type: 'discovered-from' },
            { depends_on_id: 'a-2', type: 'discovered-from' },
            { depends_on_id: 'a-3', type: 'mentions' },
            { depends_on_id: 'elsewhere' },
            { type: 'no target' },
          ],
        },
        '<<<<<<< HEAD',
        { id: 'a-2', status: 'open', description: { not: 'a text' } },
        { id: 'a-2', title: 'Same name', priority: 9 },
        { title: 'No id', status: 'closed' },
        { id: 'a-3', title: ['a list'], status: 'open' },
        { note: 'nothing to call it by' },
        { _type: 'memory', value: 'passed over' },
        'null',
      ),
    },
  ],
  'task-master': [
    {
      path: 'tasks.json',
      text: JSON.stringify({
        tasks: [{ id: 1, title: 'Of the old list', status: 'pending', dependencies: [2.1], owner: 'ann' }],
        master: {
          metadata: { description: 'Words on the tag' },
          tasks: [
            {
              id: 1,
              title: 'Of the tag',
              status: 'done',
              priority: 'soon',
              tags: ['urgent matter', 5],
              testStrategy: 'Look twice',
              complexity: { score: 8, reasoning: 'many parts' },
              subtasks: [
                {
                  id: 4,
                  title: 'Part A',
                  dependencies: [4, { odd: 'link' }],
                  subtasks: [{ id: 1, title: 'Part of part' }],
                },
                { id: 4, title: 'Part B', details: ['not', 'a text'] },
                'bare part',
              ],
            },
            { id: 'x', description: 'Has no title' },
            { nobody: 'without a name' },
          ],
        },
        version: '9.9.9',
      }),
    },
  ],
  github: [
    {
      path: 'issues.json',
      text: JSON.stringify([
        {
          number: 7,
          title: 'Open again',
          state: 'OPEN',
          stateReason: 'REOPENED',
          labels: ['plain word', { name: 'p1', color: 'red' }, 3],
          milestone: 'M1',
          assignees: [{ login: 'ann' }],
          comments: [
            { author: { login: 'bob' }, body: 'Me too', createdAt: '2026-01-01', url: 'u' },
            'bare',
            { text: 'odd' },
          ],
          body: 'Body of it\n\n- [ ] a box\n- [ ] #8',
        },
        { number: 8, state: 'MERGED', title: 12 },
        { title: 'No number', state: 'closed', state_reason: 'not_planned' },
        { body: 'nameless' },
      ]),
    },
  ],
  cairn: [
    {
      path: 'web.json',
      text: JSON.stringify({
        format: 'cairn-tasks',
        version: 1,
        tasks: [
          {
            ref: 'web-1',
            title: 'One',
            status: 'blocked',
            priority: 'urgent',
            blocked_reason: 'Waits for Ann',
            last_reason: 'Was tried',
            constraints: { notes: 'only here' },
            evidence: [{ criterion: 1, note: 'seen it' }],
            labels: ['x', 'y'.repeat(60)],
            rank: 7.25,
            created_by: 'ann',
          },
          { ref: 'web-2', status: 'lost', dependencies: [{ ref: 'web-1' }, { id: 'gone' }] },
        ],
      }),
    },
  ],
};

const plain = (text: string) => text.replace(/\s+/g, ' ').trim();

/** All that became of a source, on one line. */
function taken(format: FormatName, files: SourceFile[]): { said: string; warnings: string[] } {
  const { tasks, warnings } = readForeign(format, files);
  const plan = planAdoption(tasks, warnings);
  return { said: plain(texts([plan.tasks, plan.warnings]).join(' ')), warnings: plan.warnings };
}

function texts(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return value === undefined ? [] : [String(value)];
  return Object.values(value).flatMap(texts);
}

function leavesOf(value: unknown, field = ''): { field: string; leaf: string }[] {
  if (typeof value !== 'object' || value === null) return value === null ? [] : [{ field, leaf: plain(String(value)) }];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, Array.isArray(value) ? field : key));
}

// These became a status, a priority or a link of ours.
const READ = /^(?:state|status|priority|version)$/;
const WORDS = ['parent-child', 'discovered-from', 'blocks', 'not_planned', 'cairn-tasks'];

function unaccounted(format: FormatName, { path, text }: SourceFile): string[] {
  const { said, warnings } = taken(
    format,
    SOURCES[format].some((file) => file.text === text) ? SOURCES[format] : [{ path, text }],
  );
  const isPassed = (line: number) =>
    warnings.some((warning) =>
      [...(warning.startsWith(path) ? warning : '').matchAll(/\blines? (\d+)(?:-(\d+))?/g)].some(
        ([, first, last = first]) => line >= Number(first) && line <= Number(last),
      ),
    );
  const isCounted = (field: string) => warnings.some((warning) => warning.includes(`${field} of `));
  const missing = (value: unknown) =>
    leavesOf(value)
      .filter(
        ({ field, leaf }) =>
          !said.includes(leaf) && !(READ.test(field) && leaf.length < 9) && !WORDS.includes(leaf) && !isCounted(field),
      )
      .map(({ field, leaf }) => `${field}: ${leaf}`);
  if (format === 'beads') {
    return text
      .split('\n')
      .flatMap((line, at) =>
        isPassed(at + 1) && !line.startsWith('{') ? [] : isSkipped(line) ? [] : missing(JSON.parse(line)),
      );
  }
  if (format !== 'markdown' && format !== 'backlog') return missing(JSON.parse(text));
  const isSkippedWhole = warnings.some((warning) => warning.startsWith(path) && warning.includes('was skipped'));
  return isSkippedWhole
    ? []
    : text.split('\n').filter((line, at) => !isPassed(at + 1) && !isName(line, at) && !said.includes(wordsOf(line)));
}

/** The first line of a checklist names the project; `cairn import` reports it if the project has another name. */
function isName(line: string, at: number): boolean {
  return at === 0 && checklistName(line) !== undefined;
}

function isSkipped(line: string): boolean {
  return line.includes('"_type":"memory"');
}

const FIELD = /^(?:id|title|status|assignee|labels|dependencies|priority|references|url|milestone|ordinal|- title):\s*/;
const FORM = /^(?:---|<!-- [A-Z:]+ -->|## (?:Description|Acceptance Criteria|Final Summary))$/;

/** Removes the markup of a line of markdown or YAML. */
function wordsOf(line: string): string {
  const words = plain(line).replace(FORM, '');
  if (FIELD.test(words))
    return words
      .replace(FIELD, '')
      .replace(/["[\]{}]|name: /g, '')
      .replace('ui, 7', 'ui 7')
      .replace('task-2', 'BACK-2');
  return words
    .replace(/^(?:[-*]|\d\.) \[.\] (?:#\d |C-\d: )?/, '')
    .replace(/^(?:#+|>|-) /, '')
    .replace(/ \(high, rank 2.5, after C-2, #needs care, #a\\, b\)$/, '')
    .replace(/^\\/, '');
}

test.each(Object.keys(SOURCES) as FormatName[])('an import of %s accounts for all that it read', (format) => {
  for (const file of SOURCES[format]) expect(unaccounted(format, file)).toEqual([]);
});

test('an import accounts for records of any shape', () => {
  const word = fc.stringMatching(/^[a-z]{3,12}$/);
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      word,
      fc.integer({ min: 1 }),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(word, tie('any'), { maxKeys: 3 }),
    ),
  })).any;
  const NAMES = [
    'id',
    'title',
    'description',
    'notes',
    'labels',
    'dependencies',
    'subtasks',
    'comments',
    'body',
    'number',
  ];
  const record = fc.dictionary(fc.oneof(word, fc.constantFrom(...NAMES)), value, { maxKeys: 8 });
  fc.assert(
    fc.property(record, fc.constantFrom<FormatName>('beads', 'task-master', 'github'), (odd, format) => {
      const good = { id: 'a', number: 1, title: 'Good' };
      const whole = { beads: rows(good, odd), 'task-master': rows({ tasks: [good, odd] }), github: rows([good, odd]) };
      const text = whole[format as keyof typeof whole];

      expect(unaccounted(format, { path: 'x', text })).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
