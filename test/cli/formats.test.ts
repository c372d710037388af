import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DomainError } from '../../src/errors.ts';
import { checklistName } from '../../src/formats/checklist.ts';
import type { SourceFile } from '../../src/formats/foreign-task.ts';
import { detectFormat, FORMATS, type FormatName, readForeign } from '../../src/formats/formats.ts';
import { planAdoption } from '../../src/services/adoption-plan.ts';

async function fixture(path: string): Promise<SourceFile> {
  return { path, text: await readFile(new URL(`../fixtures/import/${path}`, import.meta.url), 'utf8') };
}

function attempt(format: FormatName, text: string): void {
  try {
    detectFormat({ path: 'x', text });
    planAdoption(readForeign(format, [{ path: 'x', text }]).tasks);
  } catch (error) {
    expect(error).toBeInstanceOf(DomainError);
  }
}

describe('a file', () => {
  test.each<[FormatName, string]>([
    ['task-master', 'task-master/tasks.json'],
    ['beads', 'beads/issues.jsonl'],
    ['backlog', 'backlog/tasks/task-1 - Design-the-cart-schema.md'],
    ['github', 'github/issues.json'],
    ['markdown', 'markdown/plan.md'],
  ])('of %s is known by what is in it', async (format, path) => {
    expect(detectFormat(await fixture(path))).toBe(format);
  });

  test('of an older gh, which does not say why an issue was closed, says the same otherwise', async () => {
    const [newer, older] = await Promise.all(['issues', 'gh-2.23'].map((name) => fixture(`github/${name}.json`)));
    const said = (file: SourceFile | undefined) =>
      file && readForeign('github', [file]).tasks.map(({ place: _, remark: __, ...task }) => task);

    expect(said(older)).toEqual(
      said(newer)?.map((task) => (task.status === 'cancelled' ? { ...task, status: 'completed' } : task)),
    );
  });

  test.for<[what: string, FormatName, text: string, message: RegExp]>([
    ['is not JSON', 'task-master', '{"tasks": [', /tasks\.txt is not JSON/],
    ['has no list', 'task-master', '{"a": 1}', /no list of tasks/],
    ['is an object', 'github', '{}', /expected array/],
    ['has no front matter', 'backlog', '# A', /front matter/],
    ['has broken YAML', 'backlog', '---\nid: [\n---\n', /not YAML/],
    ['multiplies YAML aliases', 'backlog', '---\na: &a [1]\nid: *a\n---\n', /not YAML/],
    ['has long YAML', 'backlog', `---\nid: ${'x'.repeat(16_400)}\n---\n`, /longer than 16384 characters/],
    ['nests YAML flows', 'backlog', `---\nid: ${'{'.repeat(8_000)}\n---\n`, /deeper than 32 levels/],
    ['nests YAML blocks', 'backlog', `---\nid:\n${'- '.repeat(8_000)}\n---\n`, /deeper than 32 levels/],
    ['nests YAML pairs', 'backlog', `---\n${'a: '.repeat(5_000)}\n---\n`, /deeper than 32 levels/],
    ['nests YAML keys', 'backlog', `---\n${'? '.repeat(8_000)}\n---\n`, /deeper than 32 levels/],
    ['has broken lines alone', 'beads', '{"id":', /line 1 is not JSON/],
    ['has numbers for records', 'task-master', '{"tasks":[1]}', /tasks\[0\]: it is no record/],
    ['has no item', 'markdown', 'Nothing.', /no checklist item/],
    ['is newer than this', 'cairn', '{"format":"cairn-tasks","version":9,"tasks":[]}', /version 9/],
  ])('that %s is refused with its place', ([, format, text, message]) => {
    const attempt = () => readForeign(format, [{ path: 'tasks.txt', text }]);

    expect(attempt).toThrow(
      expect.objectContaining({ code: 'invalid_input', message: expect.stringMatching(message) }),
    );
  });

  // The parts of a line that expressions could compete for, in each place where one is looked at.
  const odd = [
    ' ',
    '\t',
    '\u2028',
    '\r',
    '\n',
    '<!--',
    '-->',
    '[',
    '- [ ] ',
    '(',
    ' (',
    '*',
    '- ',
    '# ',
    '#1',
    '1',
    '1. ',
    'a-1',
  ];
  odd.push('"', "'", '\\', '`', '{', '}', ': ', '&a ', '> ', '? ', ', ', 'after #1 ', '---\n', '## \n', '\u0000');
  odd.push('x', '漢', 'https://a.b/');
  const LENGTH = 100_000;
  const made: Record<FormatName, (part: string) => string[]> = {
    markdown: (part) => [`- [ ] a${part}b (${part}\n  - ${part}x\u2028y\n  > ${part}\n#${part}x\n${part}- [ ] c`],
    backlog: (part) => [
      `---\nid: T-1\ntitle: t\n---\n## Description\n${part}\n## Acceptance Criteria\n- [ ] ${part}x\u2028y\n## ${part}`,
      `---\nid: T-1\ntitle: ${part}\n---\n`,
      `---\nid: T-1\ntitle: ${part.slice(0, 16_000)}\n---\n`,
    ],
    github: (part) => [
      JSON.stringify([
        { number: 1, title: `t${part}`, body: `after${part}x\u2028\n- [ ] ${part}x\u2028y`, labels: [{ name: part }] },
      ]),
    ],
    'task-master': (part) => [
      JSON.stringify({ tasks: [{ id: 1, title: 't', testStrategy: `- ${part}x\u2028y`, status: part }] }),
    ],
    beads: (part) => [JSON.stringify({ id: 'a', title: 't', acceptance_criteria: `- ${part}x\u2028y`, status: part })],
    cairn: (part) => [
      JSON.stringify({
        format: 'cairn-tasks',
        version: 1,
        tasks: [{ ref: part, title: `${part}x`, priority: 'low', status: 'pending' }],
      }),
    ],
  };

  test.for(odd.flatMap((piece) => Object.keys(made).map((format) => [format as FormatName, piece] as const)))(
    'of %s with a long line of %j takes no longer than it is long',
    ([format, piece]) => {
      const texts = made[format](piece.repeat(LENGTH / piece.length));

      const started = process.cpuUsage();
      for (const text of texts) attempt(format, text);

      // A fifth of this on any machine; with the square of the length, minutes.
      const { user, system } = process.cpuUsage(started);
      expect((user + system) / 1_000).toBeLessThan(10_000);
    },
  );

  test.each([
    [
      'items inside items',
      Array.from({ length: 60 }, (_, at) => `${' '.repeat(at)}- [ ] a`).join('\n'),
      /more than 50 others/,
    ],
    ['items', '- [ ] a\n'.repeat(100_001), /more than 100000 items/],
  ])('of more %s than a plan has is refused', (_, text, message) => {
    expect(() => readForeign('markdown', [{ path: 'x', text }])).toThrow(message);
  });

  test('names its items in a length that does not grow with what is around them', () => {
    const nested = Array.from({ length: 20 }, (_, at) => `${' '.repeat(at)}- [ ] ${at}${'p'.repeat(100_000)}\n`);
    const text = `## ${'h'.repeat(1_000_000)}\n${nested.join('')}${`${' '.repeat(20)}- [ ] c\n`.repeat(1_000)}`;

    const found = readForeign('markdown', [{ path: 'x', text }]).tasks;

    expect(Math.max(...found.map(({ key }) => key.length))).toBeLessThan(1_000);
    expect(new Set(found.map(({ key }) => key)).size).toBe(1_020);
  });

  test('that is refused is told of on one line, without what a screen would act on', () => {
    expect(() => readForeign('markdown', [{ path: 'x\u001b[2J\n', text: 'a' }])).toThrow(/^[ -~…]*$/);
    expect(readForeign('markdown', [{ path: 'x', text: '- [\u001b] a' }]).warnings).toEqual([
      expect.stringMatching(/^[ -~]*$/),
    ]);
    expect(() => readForeign('github', [{ path: 'x', text: '[\u001b[2J\n\u202e' }])).toThrow(
      /^[^\p{Cc}\p{Bidi_Control}]*$/u,
    );
  });

  test('of any text is read, or refused as invalid input', () => {
    const pieces = fc.constantFrom(
      '- [ ] ',
      '- [x] ',
      '  ',
      '\n',
      '> ',
      '---\n',
      '{"id":"a","title":"b"}',
      '[',
      '{"tasks":[',
      '(',
      'after a',
      '\u0000',
      '#1',
      'é',
    );
    const text = fc.array(fc.oneof(pieces, fc.string()), { maxLength: 40 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.constantFrom(...(Object.keys(FORMATS) as FormatName[])), (text, format) => {
        try {
          planAdoption(readForeign(format, [{ path: 'x', text }]).tasks);
        } catch (error) {
          expect(error).toBeInstanceOf(DomainError);
        }
      }),
      { numRuns: 250 },
    );
  });
});

test('a checklist is called by the heading that it begins with', () => {
  expect(checklistName('\n# Shop of Ada\n\n- [ ] One\n')).toBe('Shop of Ada');
  expect(checklistName('- [ ] One\n# Later\n')).toBeUndefined();
  expect(checklistName('## A part\n')).toBeUndefined();
});
