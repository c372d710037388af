import { isEmbedded } from '../../brief-files.ts';
import type { Config } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import type { Local } from '../../local.ts';
import type { Log } from '../../log.ts';
import { jobKindsOf } from '../../workers/jobs.ts';
import { Worker } from '../../workers/worker.ts';

/** Tells whether this process may run jobs: a signed-in user of a Supabase project may not. */
export function mayRunJobs({ supabaseUrl, supabaseSecretKey }: Config): boolean {
  return supabaseUrl === undefined || supabaseSecretKey !== undefined;
}

/** Raises forbidden where this process may run no jobs. */
export function refuseWithoutKey(config: Config): void {
  if (mayRunJobs(config)) return;
  throw new DomainError('forbidden', 'Jobs are run by a server: a signed-in user of a Supabase project has none.', {
    hint: 'Set SUPABASE_SECRET_KEY, the secret key of the project.',
  });
}

/** Makes a worker of every kind, or of one. */
export function openWorker(
  config: Config,
  { local, log, kind }: { local: Local; log: Log; kind?: string | undefined },
): Worker {
  const { db, blobs, connect } = local;
  return new Worker({
    machine: { config, db, blobs, log, connect },
    kinds: jobKindsOf(config),
    ...(kind !== undefined && { runs: (one) => one.kind === kind }),
    // Nobody but the worker may use an embedded database, which was stopped meanwhile.
    ...(isEmbedded(config) && { wake: async () => (await connect()).end() }),
  });
}
