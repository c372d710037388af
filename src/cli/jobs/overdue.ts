import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import type { Job } from '../../services/jobs.ts';
import { person } from '../../tools/person.ts';
import { needsWorker } from '../../workers/jobs.ts';
import { perform } from '../local-context.ts';
import { styled } from '../terminal/output.ts';

/** Lists the jobs that nobody runs, and that no agent's process will. */
export function overdueAmong(jobs: Job[], config: Config): string[] {
  return jobs.filter(({ kind, overdue }) => overdue && needsWorker(config, kind)).map(({ kind }) => kind);
}

/** The same of the database. A signed-in user of a Supabase project may not see them: none. */
export async function overdueJobs(ctx: Context, config: Config): Promise<string[]> {
  const { jobs } = await perform(ctx, person.list_jobs, {}).catch(() => ({ jobs: [] }));
  return overdueAmong(jobs, config);
}

/** The remedy of overdue jobs. */
export const START_WORKER =
  'Start `cairn serve` or `cairn worker`, or pause what you do without: `cairn jobs pause KIND`.';

export function overdueLines(kinds: string[]): string[] {
  if (kinds.length === 0) return [];
  return [`${styled('yellow', 'Overdue')} ${kinds.join(', ')}: no worker runs it. ${START_WORKER}`];
}
