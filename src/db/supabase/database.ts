import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '../../errors.ts';
import { recordOf } from '../../records.ts';
import { withCleanAnswers } from '../clean.ts';
import type { Actor, Database } from '../database.ts';
import { FUNCTIONS, type FunctionName } from '../functions.ts';
import { type Project, projectClient } from './client.ts';
import { failureOf, type Refusal } from './failures.ts';
import type { Session } from './session.ts';

export type SupabaseOptions = {
  /** With the publishable key and a session, or with the secret key alone. */
  project: Project;
  /** The user of the calls; without one, the server's role calls and is trusted to name the actor. */
  session?: Session;
};

// All attempts together. The hosted Data API ends calls that take longer than a minute.
const CALL_MS_MAX = Object.freeze({ short: 30_000, long: 300_000 });
const ATTEMPTS_MAX = 3;
const BACKOFF_MS_MAX = 250;
// Reads may be repeated after any outcome. So may a few others.
const READS = /^(compare|export|get|list|resume|search|suggest|verify)(_|$)/;
const REPEATABLE = new Set<FunctionName>([
  'due_jobs',
  'extend_job',
  'extend_lock',
  'import_events',
  'purge_idempotency_keys',
  'register_jobs',
  'report_presence',
  'sign_in',
]);

/** The port over PostgREST: one call is one HTTP request. */
export function supabaseDatabase({ project, session }: SupabaseOptions): Database {
  const client = projectClient(project);

  async function attempt(fn: FunctionName, args: Record<string, unknown>, limit: AbortSignal): Promise<Outcome> {
    const token = await session?.accessToken();
    const request = client.rpc(fn, args).abortSignal(limit);
    if (token !== undefined) request.setHeader('Authorization', `Bearer ${token}`);
    const { data, error, status } = await request;
    if (error === null) return { data };
    const refusal = failureOf(error, status);
    // An expired token was refused before anything was done. This machine's clock may be wrong about it.
    if (refusal.expired && token !== undefined) await session?.renew(token);
    return { refusal };
  }

  return withCleanAnswers<Database>({
    async call(fn: FunctionName, args: Record<string, unknown>, actor: Actor): Promise<unknown> {
      if (!Object.hasOwn(FUNCTIONS, fn)) throw new DomainError('internal', `Not a callable function: ${fn}.`);
      const limit = AbortSignal.timeout(CALL_MS_MAX[FUNCTIONS[fn]]);
      const again = mayRepeat(fn, args);
      for (let number = 1; ; number++) {
        const { data, refusal } = await attempt(fn, { ...args, actor }, limit);
        if (refusal === undefined) return data;
        const { error, undone } = refusal;
        const worthwhile = undone || (again && error.code === 'unavailable' && error.retryable);
        if (!worthwhile || number >= ATTEMPTS_MAX || limit.aborted) throw error;
        await sleep(Math.random() * BACKOFF_MS_MAX * number);
      }
    },
    async close() {},
  });
}

type Outcome = { data?: unknown; refusal?: Refusal };

/** Tells whether a repeat is harmless: the call reads, or it carries an idempotency key. */
function mayRepeat(fn: FunctionName, args: Record<string, unknown>): boolean {
  return READS.test(fn) || REPEATABLE.has(fn) || typeof recordOf(args['command'])['key'] === 'string';
}
