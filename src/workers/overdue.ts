import type { Context } from '../context.ts';
import { listJobs } from '../services/jobs.ts';

/** Counts the jobs that wait for longer than a living worker lets them, of the installation and the workspace. */
export async function countOverdue(ctx: Pick<Context, 'db' | 'actor'>): Promise<number> {
  const { jobs } = await listJobs(ctx);
  return jobs.filter(({ overdue }) => overdue).length;
}
