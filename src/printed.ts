// What a program printed, made safe to show: a terminal acts on escape codes, and whoever wrote them may be anybody.

const ESCAPE = '\x1b';
// What a terminal may act on: control characters but tab and line feed, and characters that reorder text.
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it looks for
const SPECIAL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\p{Bidi_Control}]/gu;
const STRINGS = new Set(['P', 'X', ']', '^', '_', '\x90', '\x98', '\x9d', '\x9e', '\x9f']);
const COLOUR = /^[\d;:]*m$/;
const CODE_CHARACTERS_MAX = 64;
const RESET = '\x1b[0m';

/** Where it is: in text, after ESC, in a control sequence, in a string that a terminal does not show. */
type State = 'text' | 'escape' | 'code' | 'string' | 'return';

/**
 * Takes printed text piece by piece, wherever it was cut, and returns what may be shown: text, line ends, tabs, and with
 * `colours` the codes that colour text. A line that the program wrote over is a line of its own.
 */
export function printedText({ colours = false } = {}) {
  let state: State = 'text';
  let code = '';
  let isColoured = false;
  let isInLine = false;

  /** Takes one character that is not plain text, or any within an escape code. */
  function take(character: string): string {
    if (state === 'return') {
      state = 'text';
      isInLine = false;
      return character === '\n' ? '\n' : `\n${add(character)}`;
    }
    if (character === ESCAPE) return begin('escape');
    // CAN, SUB and the end of a line end every code: one without an end hides no more than its line.
    if (character === '\x18' || character === '\x1a') return begin('text');
    if (character === '\n') return begin('text') + add(character);
    if (state === 'string') return character === '\x07' || character === '\x9c' ? begin('text') : '';
    if (state === 'escape') return afterEscape(character);
    if (state === 'code') return inCode(character);
    if (character === '\r') return begin('return');
    if (character === '\x9b') return begin('code');
    return STRINGS.has(character) ? begin('string') : '';
  }

  function begin(next: State): string {
    state = next;
    code = '';
    return '';
  }

  function afterEscape(character: string): string {
    if (character === '[') return begin('code');
    if (STRINGS.has(character)) return begin('string');
    // Intermediate characters, until the last one.
    return /[ -/]/.test(character) ? '' : begin('text');
  }

  function inCode(character: string): string {
    if (code.length < CODE_CHARACTERS_MAX) code += character;
    if (!/[@-~]/.test(character)) return '';
    const isColour = colours && COLOUR.test(code);
    const shown = isColour ? `${ESCAPE}[${code}` : '';
    isColoured ||= isColour;
    return shown + begin('text');
  }

  function add(text: string): string {
    let shown = '';
    for (let at = 0; at < text.length; ) {
      if (state === 'text') {
        SPECIAL.lastIndex = at;
        const end = SPECIAL.exec(text)?.index ?? text.length;
        if (end > at) isInLine = text[end - 1] !== '\n';
        shown += text.slice(at, end);
        at = end;
      }
      const character = text[at];
      if (character !== undefined) shown += take(character);
      at += 1;
    }
    return shown;
  }

  return {
    add,
    /** Ends the text: nothing after it has its colours, and with `line` it is not in its last line. */
    end({ line = false } = {}): string {
      const isOpen = isInLine && (line || state === 'return');
      const shown = `${isColoured ? RESET : ''}${isOpen ? '\n' : ''}`;
      begin('text');
      isColoured = false;
      isInLine &&= !isOpen;
      return shown;
    },
  };
}
