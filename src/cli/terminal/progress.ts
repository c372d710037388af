import { SingleBar } from 'cli-progress';

export type Progress = { at(done: number): void; end(): void };

/** Shows a bar on standard error, if that is a terminal. Without a total there is no bar. */
export function showProgress(what: string, total: number): Progress {
  if (!process.stderr.isTTY || total <= 0) return { at() {}, end() {} };
  const bar = new SingleBar({
    stream: process.stderr,
    format: `${what} [{bar}] {percentage}% {eta_formatted} left`,
    hideCursor: true,
    clearOnComplete: true,
    etaBuffer: 50,
  });
  bar.start(total, 0);
  return { at: (done) => bar.update(Math.min(done, total)), end: () => bar.stop() };
}
