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
export class PrintedText {
  readonly #colours: boolean;
  #state: State = 'text';
  #code = '';
  #isColoured = false;
  #isInLine = false;

  constructor({ colours = false } = {}) {
    this.#colours = colours;
  }

  add(text: string): string {
    let shown = '';
    for (let at = 0; at < text.length; at += 1) {
      if (this.#state === 'text') {
        SPECIAL.lastIndex = at;
        const end = SPECIAL.exec(text)?.index ?? text.length;
        if (end > at) this.#isInLine = text[end - 1] !== '\n';
        shown += text.slice(at, end);
        at = end;
      }
      const character = text[at];
      if (character !== undefined) shown += this.#take(character);
    }
    return shown;
  }

  /** Ends the text: nothing after it has its colours, and with `line` it is not in its last line. */
  end({ line = false } = {}): string {
    const isOpen = this.#isInLine && (line || this.#state === 'return');
    const shown = `${this.#isColoured ? RESET : ''}${isOpen ? '\n' : ''}`;
    this.#begin('text');
    this.#isColoured = false;
    if (isOpen) this.#isInLine = false;
    return shown;
  }

  /** Takes a character that is not plain text, or any within an escape code. */
  #take(character: string): string {
    if (this.#state === 'return') return this.#afterReturn(character);
    if (character === ESCAPE) return this.#begin('escape');
    // CAN, SUB and the end of a line end every code: one without an end hides no more than its line.
    if (character === '\x18' || character === '\x1a') return this.#begin('text');
    if (character === '\n') return this.#begin('text') + this.add(character);
    switch (this.#state) {
      case 'string':
        return character === '\x07' || character === '\x9c' ? this.#begin('text') : '';
      case 'escape':
        return this.#afterEscape(character);
      case 'code':
        return this.#inCode(character);
      default:
        if (character === '\r') return this.#begin('return');
        if (character === '\x9b') return this.#begin('code');
        return STRINGS.has(character) ? this.#begin('string') : '';
    }
  }

  #begin(state: State): string {
    this.#state = state;
    this.#code = '';
    return '';
  }

  #afterReturn(character: string): string {
    if (character === '\r') return '';
    this.#begin('text');
    this.#isInLine = false;
    return character === '\n' ? '\n' : `\n${this.add(character)}`;
  }

  #afterEscape(character: string): string {
    if (character === '[') return this.#begin('code');
    if (STRINGS.has(character)) return this.#begin('string');
    // Intermediate characters, until the last one.
    return /[ -/]/.test(character) ? '' : this.#begin('text');
  }

  #inCode(character: string): string {
    if (this.#code.length < CODE_CHARACTERS_MAX) this.#code += character;
    if (!/[@-~]/.test(character)) return '';
    const isColour = this.#colours && COLOUR.test(this.#code);
    const shown = isColour ? `${ESCAPE}[${this.#code}` : '';
    this.#isColoured ||= isColour;
    return shown + this.#begin('text');
  }
}
