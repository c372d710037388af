import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';

/** Work that a worker does when it is due, for a workspace or, without one, for the whole installation. */
export const Job = z.object({
  kind: z.string(),
  workspace: z.string().optional(),
  every_seconds: z.int(),
  settings: z.record(z.string(), z.unknown()).optional(),
  next_run_at: z.string(),
  paused_at: z.string().optional(),
  running_since: z.string().optional(),
  last_run_at: z.string().optional(),
  last_outcome: z.enum(['succeeded', 'failed', 'lost']).optional(),
  duration_ms: z.int().optional(),
  error: z.string().optional(),
  failures_in_row: z.int(),
  last_succeeded_at: z.string().optional(),
  overdue: z.boolean(),
});
export type Job = z.infer<typeof Job>;
const JobPage = z.object({ jobs: z.array(Job) });

const Kind = z.string().min(1).max(40);
const SECONDS_MAX = 31_622_400;

export const ListJobs = z.object({});
export const ChangeJob = z.object({ kind: Kind, change: z.enum(['pause', 'resume', 'run']) });
export const SetJob = z.object({
  kind: Kind,
  every_seconds: z.int().min(1).max(SECONDS_MAX).optional(),
  settings: z.record(z.string(), z.unknown()).optional(),
});

const queryJobs = sqlFunction('list_jobs', JobPage);
const changeOne = sqlFunction('change_job', Job);
const setOne = sqlFunction('set_job', Job);

export async function listJobs(ctx: Pick<Context, 'db' | 'actor'>): Promise<z.infer<typeof JobPage>> {
  return queryJobs(ctx, {});
}

/** Pauses a job, resumes it, or makes it due now, once if it is paused. */
export async function changeJob(ctx: Context, { kind, change }: z.infer<typeof ChangeJob>): Promise<Job> {
  return changeOne(ctx, { kind, change });
}

/** Sets how often a job runs, and settings that are given; a workspace gets a kind of its own by it. */
export async function setJob(ctx: Context, { kind, every_seconds, settings }: z.infer<typeof SetJob>): Promise<Job> {
  return setOne(ctx, { kind, every_seconds, settings });
}
