import { emitKeypressEvents, type Key } from 'node:readline';
import { clip } from './width.ts';

// DEC private modes 1049 (alternate screen) and 25 (cursor); the terminal's earlier content returns at the end.
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
const PLAIN = '\x1b[0m';
// Times are relative to now, so that they age.
const REDRAW_MS = 5_000;

/** Takes over the terminal until closed; redraws what fits after every resize. q, Escape or Ctrl-C leaves. */
export class Screen {
  readonly #show: (rows: number) => string[];
  readonly #leaving: AbortController;
  readonly #reads = process.stdin.isTTY;
  readonly #timer: NodeJS.Timeout;

  constructor(show: (rows: number) => string[], leaving: AbortController) {
    this.#show = show;
    this.#leaving = leaving;
    if (this.#reads) {
      emitKeypressEvents(process.stdin);
      process.stdin.setRawMode(true).on('keypress', this.#press).resume();
    }
    process.stdout.on('resize', this.draw).write(ENTER);
    this.#timer = setInterval(this.draw, REDRAW_MS);
    this.draw();
  }

  readonly draw = (): void => {
    const { rows = 24, columns = 80 } = process.stdout;
    const lines = this.#show(rows).map((line) => clip(line, columns) + PLAIN + CLEAR_LINE);
    process.stdout.write(HOME + lines.join('\r\n') + CLEAR_BELOW);
  };

  close(): void {
    clearInterval(this.#timer);
    process.stdout.off('resize', this.draw).write(LEAVE);
    if (this.#reads) process.stdin.off('keypress', this.#press).setRawMode(false).pause();
  }

  readonly #press = (_: string, { name, ctrl }: Key): void => {
    if (name === 'q' || name === 'escape' || (ctrl && name === 'c')) this.#leaving.abort();
  };
}
