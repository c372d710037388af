import { constants } from 'node:fs';
import { lstat, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../atomic-write.ts';
import { isMissing, tooLarge } from '../bounded-read.ts';
import { codeOf, DomainError, type ErrorCode } from '../errors.ts';
import { escaped } from '../text.ts';
import type { BlobPlace } from './store.ts';

/** A directory on this machine. It is made with the first blob. */
export function directoryPlace(directory: string): BlobPlace {
  return {
    async create({ name, bytes }) {
      const path = join(directory, name);
      try {
        await mkdir(directory, { recursive: true, mode: 0o700 });
        if (await isTaken(path)) return false;
        // Whoever else writes it at this moment writes the same bytes: the name has their hash.
        await writeAtomically(path, bytes, { replacesLink: true });
        return true;
      } catch (cause) {
        throw failureOf(cause, directory);
      }
    },
    async read(name, bytesMax) {
      try {
        return await readWhole(join(directory, name), bytesMax);
      } catch (cause) {
        if (isMissing(cause)) return null;
        throw failureOf(cause, directory);
      }
    },
    async remove(name) {
      try {
        await rm(join(directory, name), { force: true });
      } catch (cause) {
        throw failureOf(cause, directory);
      }
    },
  };
}

/** A link counts too: nothing is written through it. */
async function isTaken(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function readWhole(path: string, bytesMax: number): Promise<Buffer> {
  // A pipe in its place must not block a server.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const about = await file.stat();
    if (!about.isFile()) throw new Error('It is not a file.');
    if (about.size > bytesMax) throw tooLarge(path, bytesMax, 'It is no blob of Cairn: put the right file there.');
    return await file.readFile();
  } finally {
    await file.close();
  }
}

type Meaning = [code: ErrorCode, what: string, hint: string];

function failureOf(cause: unknown, directory: string): DomainError {
  if (cause instanceof DomainError) return cause;
  const [code, what, hint] = MEANINGS[codeOf(cause)] ?? UNKNOWN;
  return new DomainError(code, `${what} ${escaped(directory)}.`, { hint, retryable: false, cause });
}

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
