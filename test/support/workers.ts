import { readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import type { JobKind, Run } from '../../src/workers/job.ts';
import { Worker, type WorkerOptions } from '../../src/workers/worker.ts';
import { ask } from './ask.ts';
import { blobs } from './blobs.ts';
import type { Scratch } from './scratch.ts';

/** The configuration of a database that is not embedded. */
export const OTHER = readConfig({ databaseUrl: 'postgres://elsewhere' }, {});

/** Makes a worker that looks all the time. */
export function workerOf(
  { db, connect }: Scratch,
  kinds: readonly JobKind[],
  more: Partial<WorkerOptions> = {},
): Worker {
  const machine = { config: OTHER, db, blobs, log: createLog('silent'), connect };
  return new Worker({ machine, kinds, everyMs: { most: 50, least: 5 }, ...more });
}

export const jobOf = (kind: string, run: (run: Run) => Promise<void>): JobKind => ({
  kind,
  scope: 'installation',
  everySeconds: 3_600,
  needs: 'database',
  run: (_machine, given) => run(given),
});

/** Registers jobs as due now. */
export async function registerDue(
  { db, sql }: Scratch,
  kinds: readonly JobKind[],
  everySeconds = 3_600,
): Promise<void> {
  await ask({ db, actor: { user_id: '' } }, 'register_jobs', {
    jobs: kinds.map(({ kind }) => ({ kind, every_seconds: everySeconds })),
  });
  await sql.query('update app.jobs set next_run_at = now()');
}

export async function jobRow({ sql }: Scratch, kind: string): Promise<Record<string, unknown>> {
  return (await sql.query('select * from app.jobs where kind = $1', [kind])).rows[0];
}

/** Something to wait for, once. */
export function signal(): { wait: Promise<void>; give: () => void } {
  let give = () => {};
  const wait = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { wait, give };
}
