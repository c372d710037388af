import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { table, taskTable } from '../../src/cli/terminal/table.ts';
import { clip, widthOf } from '../../src/cli/terminal/width.ts';

// Scripts, marks that stand on others, characters of two columns, joined ones, punctuation that was cut wrong before.
const written = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.stringMatching(/^[а-яА-Я ]{0,80}$/),
  fc
    .array(
      fc.constantFrom(
        '–',
        '—',
        '’',
        '→',
        '•',
        '✓',
        'é',
        'ü',
        '漢',
        '字',
        '👩‍👩‍👧',
        '🇩🇪',
        '\u0301',
        'ا',
        'ב',
        'ก',
        'ा',
        'a',
        ' ',
      ),
    )
    .map((parts) => parts.join('')),
);
const columns = fc.integer({ min: 0, max: 130 });

describe('a text in so many columns', () => {
  test('is never wider than they are, whatever it is written in', () => {
    fc.assert(
      fc.property(written, columns, (text, width) => {
        expect(widthOf(clip(text, width))).toBeLessThanOrEqual(width);
      }),
      { numRuns: 2_000 },
    );
  });

  test('is the text itself where it fits, else its beginning and an ellipsis', () => {
    fc.assert(
      fc.property(written, columns, (text, width) => {
        const cut = clip(text, width);
        if (widthOf(text) <= width) expect(cut).toBe(text);
        else if (width > 0) expect(text.startsWith(cut.slice(0, -1)) && cut.endsWith('…')).toBe(true);
      }),
    );
  });

  test('keeps what ends a colour', () => {
    expect(clip('\u001b[31mПодключить\u001b[39m', 4)).toBe('\u001b[31mПод…\u001b[39m');
    expect(clip('\u001b[31mab\u001b[39mcd', 3)).toBe('\u001b[31mab\u001b[39m…');
  });

  test('is cut between characters as a reader sees them', () => {
    expect(clip('👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧', 3)).toBe('👩‍👩‍👧…');
  });
});

describe('a table', () => {
  const row = fc.record({ ref: fc.constantFrom('web-1', 'web-1234'), title: written, note: written });

  test('has no line wider than the terminal, whatever is in it', () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 130 }), (rows, width) => {
        const lines = table(
          rows,
          [
            { heading: 'REF', text: ({ ref }) => ref },
            { heading: 'TITLE', text: ({ title }) => title, flexible: true },
            { heading: 'NOTE', text: ({ note }) => note, flexible: true, spare: 1 },
          ],
          width,
        );

        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
      }),
    );
  });

  test('leaves out labels and notes before it cuts a title or leaves out what it is worth', () => {
    const task = { ref: 'web-1', title: 'Connect the payment provider', status: 'pending', ready: true } as const;
    const rows = [{ ...task, priority: 'medium' as const, labels: ['payments', 'api'], locked_by: 'claude-code#1' }];
    const headings = (width: number) => taskTable(rows, width)[0]?.split(/\s+/);

    expect(headings(90)).toEqual(['REF', 'STATUS', 'PRIORITY', 'TITLE', 'LABELS', 'NOTE']);
    expect(headings(70)).toEqual(['REF', 'STATUS', 'PRIORITY', 'TITLE', 'NOTE']);
    expect(headings(60)).toEqual(['REF', 'STATUS', 'PRIORITY', 'TITLE']);
    expect(headings(40)).toEqual(['REF', 'STATUS', 'TITLE']);
    expect(taskTable(rows, 70)[1]).toContain(task.title);
  });
});
