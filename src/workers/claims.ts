import * as z from 'zod';
import { sqlFunction } from '../db/sql-function.ts';

// What a worker asks of the database: as nobody, and in a job's workspace once that is known.

export const registerJobs = sqlFunction('register_jobs', z.object({ registered: z.int() }));

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
