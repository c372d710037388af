import { type Command, InvalidArgumentError } from 'commander';
import { command, duration, examples, JSON_OPTION } from '../command.ts';
import type { JobOptions, SetOptions } from './jobs.ts';
import type { WorkerOptions } from './worker.ts';

const WORKSPACE_OPTION = ['--workspace <id>', 'the id of a workspace other than your own'] as const;
const DAYS_MAX = 36_500;

export function addWorkerCommand(program: Command): void {
  program
    .command('worker')
    .description('run jobs that are due, as `cairn serve` does beside its work')
    .option('--once', 'run what is due now, then exit; exit code 1 if a job failed')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn worker', 'cairn worker --once'))
    .action(
      command(async (config, options: WorkerOptions) => (await import('./worker.ts')).runWorker(config, options)),
    );
}

export function addJobsCommands(program: Command): void {
  const jobs = program.command('jobs').description('list, run and pause what runs again and again');
  jobs
    .command('list', { isDefault: true })
    .description('list the jobs, how each last went, and when it is next due')
    .option(...WORKSPACE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn jobs', 'cairn jobs list --json'))
    .action(command(async (config, options: JobOptions) => (await import('./jobs.ts')).runJobs(config, options)));
  jobs
    .command('run <kind>')
    .description('run a job now, once; a paused one stays paused')
    .option(...WORKSPACE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn jobs run backup'))
    .action(
      command(async (config, kind: string, options: JobOptions) =>
        (await import('./jobs.ts')).runJobNow(config, kind, options),
      ),
    );
  for (const [change, description] of [
    ['pause', 'run a job no more until it is resumed'],
    ['resume', 'let a paused job run again'],
  ] as const) {
    jobs
      .command(`${change} <kind>`)
      .description(description)
      .option(...WORKSPACE_OPTION)
      .option(...JSON_OPTION)
      .addHelpText('after', examples(`cairn jobs ${change} backup`))
      .action(
        command(async (config, kind: string, options: JobOptions) =>
          (await import('./jobs.ts')).runChangeJob(config, { kind, change }, options),
        ),
      );
  }
  addSetCommand(jobs);
}

function addSetCommand(jobs: Command): void {
  jobs
    .command('set <kind>')
    .description('set how often a job runs; for archive and retention, where old events and records go')
    .option('--every <time>', 'how often, like 6h; at most 24h', duration)
    .option('--to <place>', 'a directory, supabase:BUCKET or s3:BUCKET/PREFIX; by default the data directory')
    .option('--older-than <days>', 'archive events older than this; 365 by default', days)
    .option('--one-machine', 'for your own PostgreSQL server: confirm that no other machine serves this database')
    .option(...WORKSPACE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn jobs set archive --older-than 365', 'cairn jobs set backup --every 6h'))
    .action(
      command(async (config, kind: string, options: SetOptions) =>
        (await import('./jobs.ts')).runSetJob(config, kind, options),
      ),
    );
}

/** Parses a number of days. */
function days(given: string): number {
  const count = Number(given);
  if (Number.isInteger(count) && count >= 1 && count <= DAYS_MAX) return count;
  throw new InvalidArgumentError(`It must be a number of days from 1 to ${DAYS_MAX}.`);
}
