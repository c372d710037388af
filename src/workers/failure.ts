import { isFileFailure } from '../directory-failure.ts';
import { domainErrorFrom, messageOf, NOT_AVAILABLE } from '../errors.ts';

/** Tells why a run failed, and what to do where there is more than to wait for the next try. */
export function failureText(error: unknown): string {
  if (isFileFailure(error)) return `A file cannot be used: ${messageOf(error)}.`;
  const { message, hint, code } = domainErrorFrom(error);
  return hint === null || message === NOT_AVAILABLE || code === 'internal' ? message : `${message} ${hint}`;
}
