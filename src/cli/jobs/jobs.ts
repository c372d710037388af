import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { openLocal } from '../../local.ts';
import { createLog } from '../../log.ts';
import type { Job } from '../../services/jobs.ts';
import { escaped } from '../../text.ts';
import { person } from '../../tools/person.ts';
import { registerKinds } from '../../workers/claims.ts';
import { jobKindsOf } from '../../workers/jobs.ts';
import { inLocalContext, perform, type WorkspaceOption } from '../local-context.ts';
import { locationFor } from '../log/archive.ts';
import { mistyped } from '../mistyped.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';
import { openWorker, refuseWithoutKey } from './open-worker.ts';
import { endLines } from './worker.ts';

export type JobOptions = JsonOption & WorkspaceOption;
export type SetOptions = JobOptions & { every?: number; to?: string; olderThan?: number; oneMachine?: true };

/** Opens the database, in which every job that this program knows is there. */
async function inJobs<T>(config: Config, options: JobOptions, run: (ctx: Context) => Promise<T>): Promise<T> {
  refuseWithoutKey(config);
  return inLocalContext(
    config,
    async (ctx) => {
      await registerKinds(ctx.db, jobKindsOf(config));
      return run(ctx);
    },
    options,
  );
}

/** `cairn jobs`: what runs again and again, and how it last went. */
export async function runJobs(config: Config, options: JobOptions): Promise<void> {
  const found = await inJobs(config, options, (ctx) => perform(ctx, person.list_jobs, {}));
  printResult(found, options, ({ jobs }) => jobLines(jobs));
}

/** `cairn jobs pause KIND` and `cairn jobs resume KIND`. */
export async function runChangeJob(
  config: Config,
  { kind, change }: { kind: string; change: 'pause' | 'resume' },
  options: JobOptions,
): Promise<void> {
  const job = await inJobs(config, options, (ctx) => perform(ctx, person.change_job, { kind, change }));
  printResult(job, options, (one) => jobLines([one]));
}

/** `cairn jobs run KIND`: runs it now, here, unless a worker comes first. */
export async function runJobNow(config: Config, kind: string, options: JobOptions): Promise<void> {
  await inJobs(config, options, (ctx) => perform(ctx, person.change_job, { kind, change: 'run' }));
  // The answer tells why a run failed, which the worker warns of.
  const log = createLog(config.logLevel === 'info' || config.logLevel === 'warn' ? 'error' : config.logLevel);
  const local = await openLocal(config, log);
  const jobs = await openWorker(config, { local, log, kind }).runDue().finally(local.close);
  const hasFailed = jobs.some(({ outcome }) => outcome === 'failed');
  if (hasFailed) process.exitCode = 1;
  const error = hasFailed ? await inJobs(config, options, (ctx) => lastError(ctx, kind)) : undefined;
  const ended = jobs.map((job) => (job.outcome === 'failed' ? { ...job, error } : job));
  printResult({ jobs: ended }, options, () => (jobs.length === 0 ? ['Another process runs it.'] : endLines(ended)));
}

async function lastError(ctx: Context, kind: string): Promise<string | undefined> {
  const { jobs } = await perform(ctx, person.list_jobs, {});
  return jobs.find((job) => job.kind === kind && job.error !== undefined)?.error;
}

/** `cairn jobs set KIND`: how often a job runs; of those that write files also where to, and from which age. */
export async function runSetJob(config: Config, kind: string, options: SetOptions): Promise<void> {
  refuseWithoutKey(config);
  const known = jobKindsOf(config).map((one) => one.kind);
  if (!known.includes(kind)) throw mistyped(`There is no job ${escaped(kind)} here.`, `Jobs: ${known.join(', ')}.`);
  const given = settingsOf(config, kind, options);
  const job = await inJobs(config, options, async (ctx) => {
    const settings = { ...(await newSettings(ctx, { config, kind, options })), ...given };
    return perform(ctx, person.set_job, { kind, every_seconds: options.every, settings });
  });
  printResult(job, options, (one) => jobLines([one]));
}

/** What is said of where a job writes files, and from which age; what is not said stays as it is. */
function settingsOf(config: Config, kind: string, { olderThan: days, to, oneMachine }: SetOptions) {
  if (days !== undefined && kind !== 'archive') {
    throw mistyped(`${kind} takes no --older-than.`, 'It is of the job archive.');
  }
  if (to !== undefined && kind !== 'archive' && kind !== 'retention') {
    throw mistyped(`${kind} takes no --to.`, 'It is of the jobs archive and retention.');
  }
  return {
    ...(to !== undefined && { to: locationFor(config, { to, oneMachine }) }),
    ...(days !== undefined && { days }),
  };
}

/** Where a workspace that had no archive yet has it, if nobody says: of an embedded database, in its data directory. */
async function newSettings(
  ctx: Context,
  { config, kind, options: { to, oneMachine } }: { config: Config; kind: string; options: SetOptions },
): Promise<{ to: string } | undefined> {
  if (kind !== 'archive' || to !== undefined) return undefined;
  const { jobs } = await perform(ctx, person.list_jobs, {});
  if (jobs.some((job) => job.kind === kind)) return undefined;
  return { to: locationFor(config, { oneMachine }) };
}

function jobLines(jobs: Job[]): string[] {
  return table(jobs, [
    { heading: 'JOB', text: ({ kind }) => kind, style: (text) => styled('bold', text) },
    { heading: 'OF', text: ({ workspace }) => workspace?.slice(0, 8) ?? 'all', spare: 3 },
    { heading: 'EVERY', text: ({ every_seconds }) => interval(every_seconds) },
    { heading: 'LAST RUN', text: ({ last_run_at }) => (last_run_at === undefined ? '' : fromNow(last_run_at)) },
    { heading: 'OUTCOME', text: outcome, flexible: true },
    { heading: 'NEXT', text: nextRun },
    {
      heading: 'FAILURES',
      text: ({ failures_in_row }) => (failures_in_row === 0 ? '' : String(failures_in_row)),
      spare: 2,
    },
  ]);
}

function outcome({ last_outcome, error }: Job): string {
  return error === undefined ? (last_outcome ?? '') : `${last_outcome}: ${error}`;
}

function nextRun({ paused_at, running_since, overdue, next_run_at }: Job): string {
  if (paused_at !== undefined) return 'paused';
  if (running_since !== undefined) return 'runs';
  const due = Date.parse(next_run_at) <= Date.now() ? 'due' : fromNow(next_run_at);
  return overdue ? styled('red', 'overdue') : due;
}

const UNITS = Object.freeze([
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
] as const);

function interval(seconds: number): string {
  const [unit, size] = UNITS.find(([, size]) => seconds % size === 0) ?? ['s', 1];
  return `${seconds / size}${unit}`;
}
