import { type Project, projectClient } from '../db/supabase/client.ts';
import { DomainError, type ErrorCode, messageOf } from '../errors.ts';
import { recordOf } from '../records.ts';
import { escaped } from '../text.ts';
import { REQUEST_MS_MAX, readBody, withRetries } from './requests.ts';
import type { BlobPlace } from './store.ts';

/** The error of the storage client; without a status there was no answer. */
type Failure = { message: string; status?: number | undefined; statusCode?: string | undefined };
type Outcome<T> = { data: T; error: null } | { data: null; error: Failure };

/** A private bucket of Supabase Storage, reached with the secret key. */
export function supabasePlace(project: Project, bucket: string, requestMsMax = REQUEST_MS_MAX): BlobPlace {
  const bounded: typeof fetch = (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(requestMsMax) });
  const { storage } = projectClient(project, bounded);
  const files = storage.from(bucket);
  let checked: Promise<void> | undefined;

  /** Repeating a read, or an upload that never overwrites, is harmless. */
  function reach<T, R>(ask: () => PromiseLike<Outcome<T>>, use: (data: NonNullable<T>) => R | Promise<R>): Promise<R> {
    return withRetries(async () => {
      try {
        const { data, error } = await ask();
        if (error !== null) throw error;
        return await use(data as NonNullable<T>);
      } catch (error) {
        throw error instanceof DomainError ? error : failureOf(error, bucket);
      }
    });
  }

  function checkPrivate(): Promise<void> {
    return reach(
      () => storage.getBucket(bucket),
      (about) => {
        if (!about.public) return;
        throw new DomainError('forbidden', `Everybody can read the bucket ${bucket}.`, {
          hint: 'Make it private in the project (Storage, the bucket, Edit), or name another one.',
        });
      },
    );
  }

  return {
    async create({ name, bytes }) {
      checked ??= checkPrivate().catch((error) => {
        checked = undefined;
        throw error;
      });
      await checked;
      const options = { upsert: false, contentType: 'application/octet-stream' };
      const upload = reach(
        () => files.upload(name, bytes, options),
        () => true,
      );
      return upload.catch(falseFor('already_exists'));
    },
    async read(name, bytesMax) {
      const content = reach(
        () => files.download(name).asStream(),
        (stream) => readBody(name, stream as ReadableStream<Uint8Array>, bytesMax),
      );
      return (await content.catch(falseFor('not_found'))) || null;
    },
    remove: (name) =>
      reach(
        () => files.remove([name]),
        () => undefined,
      ),
    signUrl: (name, seconds) =>
      reach(
        () => files.createSignedUrl(name, seconds),
        ({ signedUrl }) => signedUrl,
      ),
  };
}

/** Turns one refusal into an answer. */
function falseFor(code: ErrorCode): (error: unknown) => false {
  return (error) => {
    if (error instanceof DomainError && error.code === code) return false;
    throw error;
  };
}

type Meaning = [code: ErrorCode, message: string, hint: string];

function failureOf(cause: unknown, bucket: string): DomainError {
  const { status: own, statusCode } = recordOf(cause);
  const status = Number(statusCode) || Number(own) || 0;
  const [code, message, hint] = meaningOf(status, messageOf(cause), bucket);
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
  return ['unavailable', `Supabase Storage refuses: ${escaped(said)}`, hint];
}

const MEANINGS: Readonly<Record<number, Meaning>> = Object.freeze({
  404: ['not_found', 'There is no such file in the bucket.', 'Put it back.'],
  409: ['already_exists', 'Another file of that name is in the bucket.', 'Name another bucket, or remove that file.'],
  413: ['payload_too_large', 'The file is larger than the bucket takes.', 'Raise the file size limit of the bucket.'],
  429: ['rate_limited', 'Supabase Storage asks for fewer calls.', 'Wait a moment, then repeat it.'],
});
