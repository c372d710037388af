import type { Config } from '../../config.ts';
import { openLocal } from '../../local.ts';
import { createLog } from '../../log.ts';
import type { Job } from '../../services/jobs.ts';
import { person } from '../../tools/person.ts';
import { inLocalContext, perform, type WorkspaceOption } from '../local-context.ts';
import { locationFor } from '../log/archive.ts';
import { mistyped } from '../mistyped.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';
import { openWorker, refuseWithoutKey } from './open-worker.ts';
import { endLines } from './worker.ts';

export type JobOptions = JsonOption & WorkspaceOption;
export type SetOptions = JobOptions & { every?: number; to?: string; olderThan?: number; oneMachine?: true };

/** `cairn jobs`: what runs again and again, and how it last went. */
export async function runJobs(config: Config, options: JobOptions): Promise<void> {
  refuseWithoutKey(config);
  const found = await inLocalContext(config, (ctx) => perform(ctx, person.list_jobs, {}), options);
  printResult(found, options, ({ jobs }) => jobLines(jobs));
}

/** `cairn jobs pause KIND` and `cairn jobs resume KIND`. */
export async function runChangeJob(
  config: Config,
  { kind, change }: { kind: string; change: 'pause' | 'resume' },
  options: JobOptions,
): Promise<void> {
  refuseWithoutKey(config);
  const job = await inLocalContext(config, (ctx) => perform(ctx, person.change_job, { kind, change }), options);
  printResult(job, options, (one) => jobLines([one]));
}

/** `cairn jobs run KIND`: runs it now, here, unless a worker comes first. */
export async function runJobNow(config: Config, kind: string, options: JobOptions): Promise<void> {
  refuseWithoutKey(config);
  await inLocalContext(config, (ctx) => perform(ctx, person.change_job, { kind, change: 'run' }), options);
  const log = createLog('warn');
  const local = await openLocal(config, log);
  try {
    const jobs = await openWorker(config, { local, log, kind }).runDue();
    if (jobs.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1;
    printResult({ jobs }, options, () => (jobs.length === 0 ? ['Another process runs it.'] : endLines(jobs)));
  } finally {
    await local.close();
  }
}

/** `cairn jobs set KIND`: how often a job runs; for `archive` and `retention` also where to, for `archive` from which age. */
export async function runSetJob(config: Config, kind: string, options: SetOptions): Promise<void> {
  refuseWithoutKey(config);
  const { every, olderThan: days, to, oneMachine } = options;
  const archives = kind === 'archive';
  if (!archives && days !== undefined) {
    throw mistyped(`${kind} takes no --older-than.`, 'It is of the job archive.');
  }
  if (!archives && kind !== 'retention' && to !== undefined) {
    throw mistyped(`${kind} takes no --to.`, 'It is of the jobs archive and retention.');
  }
  const where = {
    ...((archives || to !== undefined) && { to: locationFor(config, { to, oneMachine }) }),
    ...(archives && { days: days ?? 365 }),
  };
  const job = await inLocalContext(
    config,
    (ctx) =>
      perform(ctx, person.set_job, {
        kind,
        every_seconds: every,
        settings: archives || to !== undefined ? where : undefined,
      }),
    options,
  );
  printResult(job, options, (one) => jobLines([one]));
}

function jobLines(jobs: Job[]): string[] {
  if (jobs.length === 0) return ['No jobs yet. The first `cairn serve` or `cairn worker` makes them.'];
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
  const due = Date.parse(next_run_at) <= Date.now() ? 'due' : new Date(next_run_at).toISOString().slice(0, 16);
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
