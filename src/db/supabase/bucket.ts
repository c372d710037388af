import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError, type ErrorCode } from '../../errors.ts';
import type { Bucket } from '../database.ts';
import { type Project, projectClient } from './client.ts';

/** The error of the storage client; without a status there was no answer. */
type Failure = { message: string; status?: number | undefined; statusCode?: string | undefined };
type Outcome<T> = { data: T; error: null } | { data: null; error: Failure };

const REQUEST_MS_MAX = 60_000;
const ATTEMPTS_MAX = 3;
const BACKOFF_MS = 200;

/**
 * A private bucket of Supabase Storage, reached with the secret key. Raises unavailable, forbidden, payload_too_large,
 * rate_limited.
 */
export function supabaseBucket(project: Project, name: string): Bucket {
  const bounded: typeof fetch = (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(REQUEST_MS_MAX) });
  const { storage } = projectClient(project, bounded);
  const files = storage.from(name);
  let checked: Promise<void> | undefined;

  async function checkPrivate(): Promise<void> {
    const bucket = await reach(name, () => storage.getBucket(name));
    if (!bucket.public) return;
    throw new DomainError('forbidden', `Everybody can read the bucket ${name}.`, {
      hint: 'Make it private in the project (Storage, the bucket, Edit), or name another one.',
    });
  }

  async function read(file: string): Promise<Buffer> {
    const blob = await reach(name, () => files.download(file));
    return Buffer.from(await blob.arrayBuffer());
  }

  return {
    async write(file, bytes) {
      checked ??= checkPrivate();
      await checked;
      const options = { upsert: false, contentType: 'application/octet-stream' };
      try {
        await reach(name, () => files.upload(file, bytes, options));
      } catch (error) {
        // An earlier try may have arrived whole, though its answer was lost.
        if (!(error instanceof DomainError) || error.code !== 'already_exists') throw error;
        if (!(await read(file)).equals(bytes)) throw error;
      }
    },
    read,
  };
}

/** Retries transient failures: repeating a read, or an upload that never overwrites, is harmless. */
async function reach<T>(bucket: string, ask: () => PromiseLike<Outcome<T>>): Promise<NonNullable<T>> {
  for (let number = 1; ; number++) {
    const { data, error } = await Promise.resolve(ask()).catch((cause: Error) => ({ data: null, error: cause }));
    if (error === null) return data as NonNullable<T>;
    const failure = failureOf(error, bucket);
    if (!failure.retryable || number === ATTEMPTS_MAX) throw failure;
    await sleep(BACKOFF_MS * number);
  }
}

type Meaning = [code: ErrorCode, message: string, hint: string];

function failureOf(cause: Failure, bucket: string): DomainError {
  const status = Number(cause.statusCode) || cause.status || 0;
  const [code, message, hint] = meaningOf(status, cause.message, bucket);
  const retryable = status === 0 || status === 408 || status === 429 || status >= 500;
  return new DomainError(code, message, { hint, retryable, cause });
}

// https://supabase.com/docs/guides/storage/debugging/error-codes. The answer's own status is mostly 400; the true one
// is in its body.
function meaningOf(status: number, said: string, bucket: string): Meaning {
  if (status === 0 || status === 408 || status >= 500) {
    const hint = 'Check SUPABASE_URL and the network, then repeat it.';
    return ['unavailable', 'Supabase Storage cannot be reached.', hint];
  }
  if (status === 401 || status === 403 || /\bJW[ST]\b/.test(said)) {
    const hint = 'Check SUPABASE_SECRET_KEY against the secret keys of the project.';
    return ['forbidden', `Supabase Storage refuses access to the bucket ${bucket}.`, hint];
  }
  if (status === 404 && /bucket/i.test(said)) {
    const hint = `Create the private bucket ${bucket} in the project of SUPABASE_URL (Storage, New bucket), or check its name.`;
    return ['unavailable', `There is no bucket ${bucket}.`, hint];
  }
  const known = MEANINGS[status];
  if (known !== undefined) return known;
  const hint = 'Where the bucket restricts MIME types, allow application/octet-stream.';
  return ['unavailable', `Supabase Storage refuses: ${said}`, hint];
}

const MEANINGS: Readonly<Record<number, Meaning>> = Object.freeze({
  404: ['not_found', 'There is no such file in the bucket.', 'Put it back.'],
  409: ['already_exists', 'Another file of that name is in the bucket.', 'Name another bucket, or remove that file.'],
  413: ['payload_too_large', 'The file is larger than the bucket takes.', 'Raise the file size limit of the bucket.'],
  429: ['rate_limited', 'Supabase Storage asks for fewer calls.', 'Wait a moment, then repeat it.'],
});
