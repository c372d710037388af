import { DomainError } from '../errors.ts';

/** Refuses input that makes no sense: the command ends with the exit code of misuse, as for an unknown option. */
export function mistyped(message: string, hint: string): DomainError {
  return new DomainError('invalid_input', message, { hint, mistyped: true });
}
