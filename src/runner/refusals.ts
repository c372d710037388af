import { DomainError, type ErrorCode } from '../errors.ts';

// Another has the name, or the token drives the agent no more.
const ENDING: ReadonlySet<ErrorCode> = new Set(['lock_lost', 'unauthenticated', 'forbidden', 'not_found']);
const UNANSWERED: ReadonlySet<ErrorCode> = new Set(['unavailable', 'rate_limited', 'internal']);

/** Tells whether the server has refused a call, and would refuse it again. */
export function isRefusal(error: unknown): error is DomainError {
  return error instanceof DomainError && !error.retryable && !isFailure(error);
}

/** Tells whether the server failed at a call, which it may do each time. */
export function isFailure(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'internal';
}

/** Tells whether a refused beat, or a refused look at what must be known, is the end of the runner. */
export function isEnding(error: unknown): boolean {
  if (!(error instanceof DomainError)) return false;
  // A program that no longer fits its database is of use again once it is started anew.
  return ENDING.has(error.code) || (error.code === 'unavailable' && !error.retryable);
}

/** Tells whether the server has looked at a call and said no, now or for good. */
export function isAnswer(error: unknown): error is DomainError {
  return error instanceof DomainError && !UNANSWERED.has(error.code);
}
