import { SingleBar } from 'cli-progress';

export type Progress = { at(done: number): void; end(): void };

/** A bar on a terminal, on standard error; nothing where nobody watches. Without a total there is nothing to be a part of. */
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
