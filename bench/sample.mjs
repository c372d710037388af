/** @typedef {{ p50: number, p99: number, n: number }} Sample Milliseconds. */

/** Runs it n times one after another, after a warm-up. @param {{ warmup: number, n: number }} times @param {(at: number) => Promise<unknown>} run */
export async function sample({ warmup, n }, run) {
  for (let at = 0; at < warmup; at++) await run(at);
  const taken = [];
  for (let at = warmup; at < warmup + n; at++) {
    const started = performance.now();
    await run(at);
    taken.push(performance.now() - started);
  }
  return summary(taken);
}

/** @param {number[]} taken @returns {Sample} */
export function summary(taken) {
  const sorted = [...taken].sort((a, b) => a - b);
  /** @param {number} share */
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), n: sorted.length };
}

/** @template T @param {() => Promise<T>} run @returns {Promise<{ ms: number, result: T }>} */
export async function timed(run) {
  const started = performance.now();
  const result = await run();
  return { ms: performance.now() - started, result };
}
