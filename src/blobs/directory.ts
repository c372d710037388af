import { constants } from 'node:fs';
import { lstat, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../atomic-write.ts';
import { isMissing, tooLarge } from '../bounded-read.ts';
import { directoryFailure } from '../directory-failure.ts';
import { DomainError } from '../errors.ts';
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

function failureOf(cause: unknown, directory: string): DomainError {
  return cause instanceof DomainError ? cause : directoryFailure(cause, directory);
}
