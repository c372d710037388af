import { readFile } from 'node:fs/promises';
import type pg from 'pg';

/** Milliseconds of a processor that the backend has had; where the system does not say, of the clock. */
export async function spent(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/schedstat`, 'utf8').catch(() => null);
  return stat === null ? performance.now() : Number(stat.split(' ')[0]) / 1e6;
}

/** Measures the cost of a piece of work, which is rolled back so that the next finds the same data. */
async function costOf(sql: pg.ClientBase, work: () => Promise<unknown>): Promise<number> {
  const { rows } = await sql.query<{ pid: number }>('select pg_backend_pid() as pid');
  const pid = rows[0]?.pid ?? 0;
  await sql.query('begin');
  try {
    const before = await spent(pid);
    await work();
    return (await spent(pid)) - before;
  } finally {
    await sql.query('rollback');
  }
}

// Below this the measure is noise.
const LEAST_MS = 4;
const REPEATS_MAX = 5;

/**
 * Returns the ratio of the second cost to the first. Other load only adds time, so the least of several runs counts.
 */
export async function growthOf(
  sql: pg.ClientBase,
  [small, large]: [() => Promise<unknown>, () => Promise<unknown>],
  most: number,
): Promise<number> {
  // Makes the plans.
  let least = { small: await costOf(sql, small), large: Number.POSITIVE_INFINITY };
  for (let repeat = 0; repeat < REPEATS_MAX; repeat++) {
    least = {
      small: Math.min(least.small, await costOf(sql, small)),
      large: Math.min(least.large, await costOf(sql, large)),
    };
    if (least.large < most * Math.max(least.small, LEAST_MS)) break;
  }
  return least.large / Math.max(least.small, LEAST_MS);
}
