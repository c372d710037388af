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

type Screen = { draw(): void; close(): void };

/** Takes over the terminal until closed; redraws what fits after every resize. q, Escape or Ctrl-C leaves. */
export function openScreen(show: (rows: number) => string[], leaving: AbortController): Screen {
  const { stdin, stdout } = process;
  const draw = () => {
    const { rows = 24, columns = 80 } = stdout;
    const lines = show(rows).map((line) => clip(line, columns) + PLAIN + CLEAR_LINE);
    stdout.write(HOME + lines.join('\r\n') + CLEAR_BELOW);
  };
  const press = (_: string, { name, ctrl }: Key) => {
    if (name === 'q' || name === 'escape' || (ctrl && name === 'c')) leaving.abort();
  };
  const reads = stdin.isTTY;
  if (reads) {
    emitKeypressEvents(stdin);
    stdin.setRawMode(true).on('keypress', press).resume();
  }
  stdout.on('resize', draw).write(ENTER);
  const timer = setInterval(draw, REDRAW_MS);
  draw();
  return {
    draw,
    close() {
      clearInterval(timer);
      stdout.off('resize', draw).write(LEAVE);
      if (reads) stdin.off('keypress', press).setRawMode(false).pause();
    },
  };
}
