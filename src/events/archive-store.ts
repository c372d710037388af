import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { writeAtomically } from '../atomic-write.ts';
import type { Bucket, Database } from '../db/database.ts';
import { DomainError } from '../errors.ts';
import { UPDATE_HINT } from '../version.ts';

/** The store of archived events: files that are written once, whole, and read. */
export type ArchiveStore = Bucket & {
  /** The location that the log keeps, so that later readers find the files. */
  location: string;
};

// The form in `--to` and in the log.
const BUCKET = /^supabase:(.*)$/;
const BUCKET_NAME = /^[\w.-]{1,100}$/;
// Compressed, as each part is written; one process holds this much in memory at a time.
const FILE_BYTES_MAX = 1_073_741_824;

/** A directory on this machine. */
export function directoryStore(directory: string): ArchiveStore {
  return {
    location: directory,
    async write(name, bytes) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await writeAtomically(join(directory, name), bytes, { replacesLink: true });
    },
    read: (name) => readWhole(join(directory, name)),
  };
}

async function readWhole(path: string): Promise<Buffer> {
  // A pipe in its place must not block a server.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const about = await file.stat();
    if (!about.isFile() || about.size > FILE_BYTES_MAX) throw new Error('It is not a file of an archive.');
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Tells whether a location is a bucket of the project, not a directory. */
export function isBucket(location: string): boolean {
  return BUCKET.test(location);
}

/** Opens the store that a log names: an absolute path, or `supabase:BUCKET`. Raises invalid_input, unavailable. */
export function storeAt(location: string, db: Database): ArchiveStore {
  const name = BUCKET.exec(location)?.[1];
  if (name !== undefined) return bucketStore(location, name, db);
  if (isAbsolute(location)) return directoryStore(location);
  throw new DomainError('unavailable', 'Archived events are kept in a place that this version of Cairn cannot read.', {
    hint: UPDATE_HINT,
    retryable: false,
  });
}

function bucketStore(location: string, name: string, db: Database): ArchiveStore {
  if (!BUCKET_NAME.test(name)) {
    throw new DomainError('invalid_input', `Not the name of a bucket: ${name}`, {
      hint: 'Name one like supabase:archive, of letters, digits, dots and hyphens.',
    });
  }
  if (db.bucket === undefined) {
    throw new DomainError(
      'unavailable',
      `The bucket ${name} can be read only with the secret key of the Supabase project.`,
      {
        hint: 'Use SUPABASE_URL with SUPABASE_SECRET_KEY, or a cairn server that has them (cairn serve).',
        retryable: false,
      },
    );
  }
  return { location, ...db.bucket(name) };
}
