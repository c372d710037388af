import { type DomainError, domainErrorFrom, NOT_AVAILABLE } from '../errors.ts';
import { oneLine } from '../text.ts';
import { inCommands } from './hints.ts';

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
export function inOurWords({ message, hint, cause }: DomainError): { message: string; hint: string | null } {
  const reason = message === NOT_AVAILABLE ? reasonOf(cause) : '';
  return {
    message: reason === '' ? message : `${message.replace(/\.$/, '')}: ${reason}`,
    hint: hint === null ? null : inCommands(hint),
  };
}

/** Returns the reason: a connection tried at several addresses fails with the failures of all. */
function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(reasonOf).join('; ');
  return cause instanceof Error ? oneLine(cause.message) : '';
}
