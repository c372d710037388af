/** @typedef {{ p50: number, p99: number, n: number }} Sample Milliseconds. */

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
