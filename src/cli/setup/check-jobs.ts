import type { Config } from '../../config.ts';
import { person } from '../../tools/person.ts';
import { mayRunJobs } from '../jobs/open-worker.ts';
import { overdueAmong, START_WORKER } from '../jobs/overdue.ts';
import { inLocalContext, perform } from '../local-context.ts';
import type { Check } from './checks.ts';

const FAILURES_MAX = 3;

/** Checks that jobs are run, and do not fail again and again. */
export async function checkJobs(config: Config): Promise<Check[]> {
  if (!mayRunJobs(config)) return [];
  const { jobs } = await inLocalContext(config, (ctx) => perform(ctx, person.list_jobs, {}));
  const overdue = overdueAmong(jobs, config);
  const failing = jobs.filter(({ failures_in_row }) => failures_in_row >= FAILURES_MAX);
  const name = 'jobs';
  if (failing.length > 0) {
    const detail = failing.map(({ kind, error = '' }) => `${kind} keeps failing: ${error}`).join('; ');
    return [{ name, status: 'warning', detail, remedy: '`cairn jobs` shows each, `cairn jobs run KIND` tries again.' }];
  }
  if (overdue.length > 0) {
    return [{ name, status: 'warning', detail: `no worker runs ${overdue.join(', ')}`, remedy: START_WORKER }];
  }
  const detail = jobs.length === 0 ? 'none yet' : `${jobs.length}, none overdue`;
  return [{ name, status: 'ok', detail }];
}
