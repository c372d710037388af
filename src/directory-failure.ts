import { codeOf, DomainError, type ErrorCode } from './errors.ts';
import { escaped } from './text.ts';

type Meaning = [code: ErrorCode, what: string, hint: string];

const DENIED: Meaning = ['forbidden', 'The system denies access to', 'Give the user of this process access to it.'];
const READ_ONLY: Meaning = ['forbidden', 'Nothing can be written to', 'It is read-only: name another directory.'];
const FULL: Meaning = ['unavailable', 'There is no room in', 'Make room on its disk, or name another directory.'];
const NO_DIRECTORY: Meaning = [
  'invalid_input',
  'There is a file at or above',
  'Name a directory, or move the file away.',
];
const UNKNOWN: Meaning = ['unavailable', 'A file cannot be used in', 'Look at the directory and its disk.'];

const MEANINGS: Readonly<Record<string, Meaning>> = Object.freeze({
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: READ_ONLY,
  ENOSPC: FULL,
  EDQUOT: FULL,
  EEXIST: NO_DIRECTORY,
  ENOTDIR: NO_DIRECTORY,
});

/** Explains why a directory cannot be used. */
export function directoryFailure(cause: unknown, directory: string): DomainError {
  const [code, what, hint] = MEANINGS[codeOf(cause)] ?? UNKNOWN;
  return new DomainError(code, `${what} ${escaped(directory)}.`, { hint, retryable: false, cause });
}

/** Tells whether the system refused to use a file or directory, and no connection. */
export function isFileFailure(error: unknown): boolean {
  return error instanceof Error && (Object.hasOwn(MEANINGS, codeOf(error)) || ('path' in error && 'errno' in error));
}
