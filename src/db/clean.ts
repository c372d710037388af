import { DomainError } from '../errors.ts';
import { recordOf } from '../records.ts';
import { cleanJson, cleanLine, oneLine } from '../text.ts';
import type { Database } from './database.ts';
import type { FunctionName } from './functions.ts';

// Programs read these answers, and hashes cover every byte of them. What was printed has colours; whoever shows it
// cleans it (src/printed.ts).
const EXACT: ReadonlySet<FunctionName> = new Set([
  'check_events',
  'export_events',
  'list_output',
  'read_records',
  'snapshot_events',
]);

// Slugs, refs and lists of them, which stand in the middle of lines. An earlier version imported some of several lines.
const LINES: ReadonlySet<string> = new Set([
  'dependencies',
  'discovered_from',
  'parent',
  'project',
  'projects',
  'ref',
  'slug',
  'task',
  'values',
]);
// Values from callers, whose keys mean nothing here.
const GIVEN: ReadonlySet<string> = new Set(['constraints', 'data', 'evidence', 'options', 'rules', 'snapshot']);

/**
 * Wraps the database and strips its answers and refusals of characters that a terminal acts on or that reorder text:
 * some were stored before the database refused them.
 */
export function withCleanAnswers<Engine extends Database>(db: Engine): Engine {
  return {
    ...db,
    async call(fn, args, actor) {
      try {
        const answer = await db.call(fn, args, actor);
        return EXACT.has(fn) ? answer : cleanAnswer(cleanJson(answer));
      } catch (error) {
        throw error instanceof DomainError ? cleanError(error) : error;
      }
    },
  };
}

function cleanError({ code, message, hint, details, retryable, cause }: DomainError): DomainError {
  return new DomainError(code, cleanLine(message), {
    hint: hint === null ? undefined : cleanLine(hint),
    details: details === null ? undefined : recordOf(cleanAnswer(cleanJson(details))),
    retryable,
    cause,
  });
}

/** Puts an answer's slugs and refs on one line each; returns the same object if they are. */
function cleanAnswer(value: unknown, key = ''): unknown {
  if (isInLine(value, key)) return value;
  if (typeof value === 'string') return oneLine(value);
  if (Array.isArray(value)) return value.map((item) => cleanAnswer(item, key));
  return Object.fromEntries(Object.entries(recordOf(value)).map(([name, item]) => [name, cleanAnswer(item, name)]));
}

function isInLine(value: unknown, key: string): boolean {
  if (typeof value === 'string') return !LINES.has(key) || !/[\n\t\u0085\u2028\u2029]/.test(value);
  if (typeof value !== 'object' || value === null || GIVEN.has(key)) return true;
  for (const name in value) {
    if (!isInLine(value[name as keyof typeof value], Array.isArray(value) ? key : name)) return false;
  }
  return true;
}
