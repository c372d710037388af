import { describe, expect, test } from 'vitest';
import { PrintedText } from '../../src/printed.ts';

const RED = '\x1b[31m';
const PLAIN = '\x1b[0m';

/** What may be shown of a text, whole and cut at each place. */
function shown(text: string, options: { colours?: boolean } = {}): string {
  const whole = new PrintedText(options);
  const all = whole.add(text) + whole.end();
  for (let at = 1; at < text.length; at += 1) {
    const cut = new PrintedText(options);
    expect([at, cut.add(text.slice(0, at)) + cut.add(text.slice(at)) + cut.end()]).toEqual([at, all]);
  }
  return all;
}

describe('printed text', () => {
  test('keeps text of any script, line ends and tabs', () => {
    expect(shown('a\tb\n🦩 é\u0301 字\n')).toBe('a\tb\n🦩 é\u0301 字\n');
  });

  test.each([
    ['a colour, where there are none', `${RED}red${PLAIN}`, 'red'],
    ['a move of the cursor', 'a\x1b[2A\x1b[1;1Hb', 'ab'],
    ['a cleared screen', '\x1b[2J\x1b[Ka\x1bc', 'a'],
    ['the other screen', '\x1b[?1049ha\x1b[?25l', 'a'],
    ['a title', 'a\x1b]0;root#\x07b', 'ab'],
    ['a clipboard', 'a\x1b]52;c;cm0gLXJm\x1b\\b', 'ab'],
    ['a link', '\x1b]8;;http://evil\x1b\\text\x1b]8;;\x1b\\', 'text'],
    ['a picture', 'a\x1bPq#0;2;0\x1b\\b', 'ab'],
    ['a question to the terminal', 'a\x1b[6nb\x1b[cc', 'abc'],
    ['a character set', 'a\x1b(0b', 'ab'],
    ['codes of one character', 'a\x9b2Jb\x9d0;title\x9cc\x90q\x9cd', 'abcd'],
    ['a bell and a backspace', 'a\x07\x08\x7fb\x00', 'ab'],
    ['characters that reorder text', 'a\u202eb\u2066c', 'abc'],
    ['a code that another ends', 'a\x1b[3\x1b[2Jb\x1b[3\x18c', 'abc'],
    ['a code without an end, at the end of its line', 'a\x1b]0;all of this\nb\x1b[3\nc', 'a\nb\nc'],
    ['a code that is too long', `a\x1b[${'1;'.repeat(99)}mb`, 'ab'],
    ['a line that is written over', '10%\r20%\rdone\r\nnext\r\r\nlast\r', '10%\n20%\ndone\nnext\nlast\n'],
  ])('leaves out %s', (_, text, expected) => {
    expect(shown(text)).toBe(expected);
  });

  test('keeps colours for a terminal, ends them, and keeps nothing else', () => {
    const all = `${RED}a\x1b[38;2;1;2;3mb\x1b[2Jc\x1b[?1md\x1b[1 mf\x1b]0;m\x07`;

    expect(shown(all, { colours: true })).toBe(`${RED}a\x1b[38;2;1;2;3mbcdf${PLAIN}`);
  });
});
