import { DomainError } from '../errors.ts';

/** What a person typed cannot be meant: the command ends with the exit code of misuse, as for an option that is not there. */
export function mistyped(message: string, hint: string): DomainError {
  return new DomainError('invalid_input', message, { hint, mistyped: true });
}
