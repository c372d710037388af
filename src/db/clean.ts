import { DomainError } from '../errors.ts';
import { cleanJson, cleanLine } from '../text.ts';
import type { Actor, Database } from './database.ts';
import type { FunctionName } from './functions.ts';

// Programs read these answers, and hashes are made of every byte of them.
const EXACT: ReadonlySet<FunctionName> = new Set(['check_events', 'export_events', 'snapshot_events']);

/**
 * The same database, whose answers and refusals hold nothing that a terminal acts on or that turns text round: some of it was stored
 * before the database refused it.
 */
export function withCleanAnswers<Engine extends Database>(db: Engine): Engine {
  return {
    ...db,
    async call<T>(fn: FunctionName, args: Record<string, unknown>, actor: Actor): Promise<T> {
      try {
        const answer = await db.call<T>(fn, args, actor);
        return EXACT.has(fn) ? answer : (cleanJson(answer) as T);
      } catch (error) {
        throw error instanceof DomainError ? cleanError(error) : error;
      }
    },
  };
}

function cleanError({ code, message, hint, details, retryable, cause }: DomainError): DomainError {
  return new DomainError(code, cleanLine(message), {
    hint: hint === null ? undefined : cleanLine(hint),
    details: (cleanJson(details) as typeof details) ?? undefined,
    retryable,
    cause,
  });
}
