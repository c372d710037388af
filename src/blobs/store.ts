import { createHash } from 'node:crypto';
import { tooLarge } from '../bounded-read.ts';
import { DomainError } from '../errors.ts';
import { escaped } from '../text.ts';

/** A blob by its name and the hash of its content. */
export type BlobRef = { name: string; sha256: string };

/** The content of a blob, the words that its name begins with, and its extension, like `.json`. */
export type NewBlob = { bytes: Buffer; label?: string; extension: string };

/**
 * The port: bytes under a name that their hash is part of. A blob is written once, whole, and never overwritten; each
 * read compares the content with the hash. Raises unavailable, forbidden and rate_limited when the place does.
 */
export type BlobStore = {
  /** The location that a log keeps, so that later readers find the blobs. */
  readonly location: string;
  /** A repeat of the same content changes nothing. Raises payload_too_large; already_exists for a taken name. */
  write(blob: NewBlob): Promise<BlobRef>;
  /** Raises not_found, payload_too_large, and unavailable for content with another hash. */
  read(ref: BlobRef): Promise<Buffer>;
  /** Removes a blob whose content is kept no longer; one that is not there is removed already. */
  remove(name: string): Promise<void>;
  /** Makes a URL by which anybody reads the blob until it expires. Raises invalid_input where the place has none. */
  signUrl(name: string, seconds: number): Promise<string>;
};

/** An adapter: keeps bytes under names in one place. */
export type BlobPlace = {
  /** Returns false, and writes nothing, if the name is taken. */
  create(blob: BlobRef & { bytes: Buffer }): Promise<boolean>;
  /** Returns null if there is none. Raises payload_too_large before it holds more than that many bytes. */
  read(name: string, bytesMax: number): Promise<Buffer | null>;
  remove(name: string): Promise<void>;
  /** Left out where a place serves no URLs. */
  signUrl?(name: string, seconds: number): Promise<string>;
};

// A process holds a whole blob in memory.
const BLOB_BYTES_MAX = 1_073_741_824;
// A transfer without a length that ends early looks like a file that was changed; a second one tells them apart.
const READS_MAX = 2;
// The most that S3 allows: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
const URL_SECONDS_MAX = 604_800;
// No name leads out of its place, on any system; `app.archives` has the same check.
const NAME = /^[a-z0-9][a-z0-9.-]{0,199}$/;

export function blobStore(location: string, place: BlobPlace, bytesMax = BLOB_BYTES_MAX): BlobStore {
  const named = (name: string) => `${escaped(name)} in ${escaped(location)}`;

  /** Tells whether a taken name has that content. */
  async function holds({ name, sha256 }: BlobRef, size: number): Promise<boolean> {
    const bytes = await place.read(name, size).catch((error: unknown) => {
      if (error instanceof DomainError && error.code === 'payload_too_large') return null;
      throw error;
    });
    return bytes !== null && hashOf(bytes) === sha256;
  }

  return {
    location,
    async write({ bytes, label, extension }) {
      const sha256 = hashOf(bytes);
      const name = checked(`${label === undefined ? '' : `${label}-`}${sha256}${extension}`);
      if (bytes.length > bytesMax) throw tooLarge(name, bytesMax, 'Split the content into smaller parts.');
      const blob = { name, sha256 };
      // An earlier try may have arrived whole, though its answer was lost.
      if ((await place.create({ ...blob, bytes })) || (await holds(blob, bytes.length))) return blob;
      throw new DomainError('already_exists', `Another content has the name of the blob ${named(name)}.`, {
        hint: 'Nothing was overwritten. Look at that file: move it away, or name another place. Then repeat it.',
      });
    },
    async read({ name, sha256 }) {
      for (let number = 1; number <= READS_MAX; number++) {
        const bytes = await place.read(checked(name), bytesMax);
        if (bytes === null) {
          throw new DomainError('not_found', `There is no blob ${named(name)}.`, { hint: 'Put it back from a copy.' });
        }
        if (hashOf(bytes) === sha256) return bytes;
      }
      throw new DomainError('unavailable', `The blob ${named(name)} is not as it was written: its hash differs.`, {
        hint: `Put a whole copy of it back under the same name. Its SHA-256 is ${sha256}.`,
        retryable: false,
      });
    },
    remove: async (name) => place.remove(checked(name)),
    async signUrl(name, seconds) {
      if (place.signUrl === undefined) {
        throw new DomainError('invalid_input', `Blobs in ${escaped(location)} have no URL: it is a directory.`, {
          hint: 'Read the blob through Cairn, or keep blobs in a bucket (supabase:BUCKET or s3:BUCKET).',
        });
      }
      if (!Number.isInteger(seconds) || seconds < 1 || seconds > URL_SECONDS_MAX) {
        throw new DomainError('invalid_input', `A URL cannot be valid for ${seconds} seconds.`, {
          hint: `Choose a whole number from 1 to ${URL_SECONDS_MAX}, which is seven days.`,
        });
      }
      return place.signUrl(checked(name), seconds);
    },
  };
}

export function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function checked(name: string): string {
  if (NAME.test(name)) return name;
  throw new DomainError('invalid_input', `Not the name of a blob: ${escaped(name)}`, {
    hint: 'A name has lowercase letters, digits, dots and hyphens, 200 at most.',
  });
}
