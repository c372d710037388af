export type Progress = { at(done: number): void; end(): void };

type Output = Pick<NodeJS.WriteStream, 'isTTY' | 'write'>;

const WIDTH = 30;
const CLEAR_LINE = '\r\u001B[K';

/**
 * A bar on a terminal, on standard error; nothing where nobody watches. Without a total there is nothing to be a part
 * of. Those of libraries take the keyboard or the signals, and Ctrl+C must end an export as it ends any command.
 */
export function showProgress(what: string, total: number, output: Output = process.stderr): Progress {
  if (!output.isTTY || total <= 0) return { at() {}, end() {} };
  const started = performance.now();
  let shown = '';
  const at = (done: number) => {
    const part = Math.min(done / total, 1);
    const bar = '='.repeat(Math.round(part * WIDTH)).padEnd(WIDTH, '-');
    const line = `${what} [${bar}] ${Math.floor(part * 100)}%${timeLeft(performance.now() - started, part)}`;
    if (line !== shown) output.write(`${CLEAR_LINE}${line}`);
    shown = line;
  };
  at(0);
  return { at, end: () => output.write(CLEAR_LINE) };
}

/** Estimates the remaining time from the progress so far; empty at the beginning. */
function timeLeft(ms: number, part: number): string {
  if (part === 0) return '';
  const seconds = Math.round((ms * (1 - part)) / part / 1_000);
  return seconds < 60 ? ` ${seconds} s left` : ` ${Math.round(seconds / 60)} min left`;
}
