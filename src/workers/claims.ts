import * as z from 'zod';
import { type Actor, type Database, NOBODY } from '../db/database.ts';
import { sqlFunction } from '../db/sql-function.ts';
import type { JobKind } from './job.ts';

// What a worker asks of the database: in no workspace, and in a job's once that is known.

/** The actor of a worker, no person. */
export const SYSTEM: Actor = Object.freeze({ ...NOBODY, agent: 'system', client: 'system' });

const registerJobs = sqlFunction('register_jobs', z.object({ registered: z.int() }));

/** Makes the jobs of the installation, those too that nobody runs here: they show that they wait. */
export async function registerKinds(db: Database, kinds: readonly JobKind[]): Promise<void> {
  const jobs = kinds
    .filter(({ scope }) => scope === 'installation')
    .map(({ kind, everySeconds: every_seconds }) => ({ kind, every_seconds }));
  await registerJobs({ db, actor: SYSTEM }, { jobs });
}

/** A job that is due, of a workspace or the installation. */
const Due = z.object({ kind: z.string(), tenant_id: z.string().optional() });
export type Due = z.infer<typeof Due>;

export const dueJobs = sqlFunction('due_jobs', z.object({ jobs: z.array(Due), next_in_ms: z.number().optional() }));

/** A claimed run; `user_id` is an owner of its workspace. */
const Claim = z.object({
  token: z.int(),
  settings: z.record(z.string(), z.unknown()),
  user_id: z.string().optional(),
});

export const claimJob = sqlFunction('claim_job', Claim.nullable());
export const extendJob = sqlFunction('extend_job', z.object({ lease_expires_at: z.string() }));
export const finishJob = sqlFunction('finish_job', z.object({ next_run_at: z.string() }));
