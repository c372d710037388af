import { type DomainError, domainErrorFrom, NOT_AVAILABLE } from '../errors.ts';
import { oneLine } from '../text.ts';
import { inCommands } from './hints.ts';

const SUBJECT = /^Task ([a-z][a-z0-9-]*-\d+) /;

/** Formats a refusal for a person: the fault and the next step, in the words of the command line. */
export function failureLines({ message, hint }: Pick<DomainError, 'message' | 'hint'>): string {
  return hint === null ? message : `${message}\n${hint}`;
}

/** Formats a failure as data, for a program. */
export function failureData(error: unknown): { code: string; message: string; hint: string | null; details: unknown } {
  const failure = domainErrorFrom(error);
  return { code: failure.code, ...inOurWords(failure), details: failure.details };
}

/** Explains to the operator of a database why it cannot be reached, and names commands in place of tools. */
export function inOurWords(failure: DomainError): { message: string; hint: string | null } {
  const { message, hint } = failure;
  const ref = SUBJECT.exec(message)?.[1];
  return { message: messageOf(failure, ref), hint: hint === null ? null : inCommands(hint, ref) };
}

function messageOf({ code, message, details, cause }: DomainError, ref: string | undefined): string {
  // What is missing is told with the tools that provide it.
  if (code === 'gate_unmet') return inCommands(message, ref);
  const blocked = details?.['blocked_reason'];
  if (typeof blocked === 'string') return `${message} The reason: ${oneLine(blocked)}`;
  const reason = message === NOT_AVAILABLE ? reasonOf(cause) : '';
  return reason === '' ? message : `${message.replace(/\.$/, '')}: ${reason}`;
}

/** Returns the reason: a connection tried at several addresses fails with the failures of all. */
function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(reasonOf).join('; ');
  return cause instanceof Error ? oneLine(cause.message) : '';
}
