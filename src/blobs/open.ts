import { isAbsolute } from 'node:path';
import type { Config } from '../config.ts';
import { DomainError } from '../errors.ts';
import { escaped } from '../text.ts';
import { UPDATE_HINT } from '../version.ts';
import { directoryPlace } from './directory.ts';
import { type BlobPlace, type BlobStore, blobStore } from './store.ts';

/**
 * Opens the store at a location: an absolute path, `supabase:BUCKET` or `s3:BUCKET/PREFIX`. Raises invalid_input;
 * unavailable without the keys to it.
 */
export type OpenBlobStore = (location: string) => Promise<BlobStore>;

/** Keys to buckets, from the configuration. */
type Settings = Pick<Config, 'supabaseUrl' | 'supabaseSecretKey'> &
  Partial<Pick<Config, 's3Endpoint' | 's3Region' | 's3AccessKeyId' | 's3SecretAccessKey' | 's3SessionToken'>>;

// The forms in `--to` and in the log.
const SUPABASE = /^supabase:(.*)$/s;
const S3 = /^s3:([^/]*)(?:\/(.*))?$/s;
const SUPABASE_BUCKET = /^[\w-][\w.-]{0,99}$/;
const S3_BUCKET = /^[a-zA-Z0-9][\w.-]{2,62}$/;
const S3_PREFIX = /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/;
const S3_PREFIX_CHARACTERS_MAX = 200;
const S3_REGION = /^[\w-]{1,40}$/;
const S3_REGION_DEFAULT = 'us-east-1';

/** Tells whether a location is a bucket, not a directory. */
export function isBucket(location: string): boolean {
  return SUPABASE.test(location) || S3.test(location);
}

/** Tells whether a location is in the Supabase project of the database. */
export function isSupabaseBucket(location: string): boolean {
  return SUPABASE.test(location);
}

/** Makes the function that opens stores with these keys. Loads the client of a bucket when the first one is opened. */
export function blobStores(settings: Settings): OpenBlobStore {
  return async (location) => blobStore(location, await placeAt(location, settings));
}

async function placeAt(location: string, settings: Settings): Promise<BlobPlace> {
  const supabase = SUPABASE.exec(location)?.[1];
  if (supabase !== undefined) return supabaseBucket(supabase, settings);
  const [, bucket, prefix] = S3.exec(location) ?? [];
  if (bucket !== undefined) return s3Bucket({ bucket, prefix }, settings);
  if (isAbsolute(location)) return directoryPlace(location);
  throw new DomainError('unavailable', 'The files are kept in a place that this version of Cairn cannot read.', {
    hint: UPDATE_HINT,
    retryable: false,
  });
}

async function supabaseBucket(name: string, { supabaseUrl, supabaseSecretKey }: Settings): Promise<BlobPlace> {
  if (!SUPABASE_BUCKET.test(name)) {
    throw new DomainError('invalid_input', `Not the name of a bucket: ${escaped(name)}`, {
      hint: 'Name one like supabase:archive, of letters, digits, dots and hyphens.',
    });
  }
  if (supabaseUrl === undefined || supabaseSecretKey === undefined) {
    throw new DomainError(
      'unavailable',
      `The bucket ${name} can be read only with the secret key of the Supabase project.`,
      {
        hint: 'Use SUPABASE_URL with SUPABASE_SECRET_KEY, or a cairn server that has them (`cairn serve`).',
        retryable: false,
      },
    );
  }
  const { supabasePlace } = await import('./supabase.ts');
  return supabasePlace({ url: supabaseUrl, key: supabaseSecretKey }, name);
}

async function s3Bucket(
  { bucket, prefix }: { bucket: string; prefix: string | undefined },
  { s3Endpoint, s3Region = S3_REGION_DEFAULT, s3AccessKeyId, s3SecretAccessKey, s3SessionToken }: Settings,
): Promise<BlobPlace> {
  const isPrefix = prefix === undefined || (prefix.length <= S3_PREFIX_CHARACTERS_MAX && S3_PREFIX.test(prefix));
  if (!S3_BUCKET.test(bucket) || !isPrefix) {
    const named = prefix === undefined ? bucket : `${bucket}/${prefix}`;
    throw new DomainError('invalid_input', `Not a bucket or a prefix in one: ${escaped(named)}`, {
      hint: 'Name one like s3:archive or s3:archive/cairn/logs, of letters, digits, dots and hyphens.',
    });
  }
  if (s3AccessKeyId === undefined || s3SecretAccessKey === undefined) {
    throw new DomainError('unavailable', `The bucket ${bucket} can be read only with keys to it.`, {
      hint:
        'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where this runs, with AWS_REGION or AWS_ENDPOINT_URL_S3 ' +
        'where they differ, or use a cairn server that has them (`cairn serve`).',
      retryable: false,
    });
  }
  if (!S3_REGION.test(s3Region)) {
    throw new DomainError('invalid_input', `AWS_REGION is not a region: ${escaped(s3Region)}`, {
      hint: 'It is a word like eu-central-1; some services take auto.',
    });
  }
  const { s3Place } = await import('./s3.ts');
  return s3Place({
    endpoint: endpointOf(s3Endpoint ?? `https://s3.${s3Region}.amazonaws.com`),
    region: s3Region,
    accessKeyId: s3AccessKeyId,
    secretAccessKey: s3SecretAccessKey,
    sessionToken: s3SessionToken,
    bucket,
    prefix: prefix === undefined ? '' : `${prefix}/`,
  });
}

function endpointOf(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : null;
  if (url !== null && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' && url.username === '') {
    return url.href.replace(/\/$/, '');
  }
  // Not shown: somebody may have put a password into it.
  throw new DomainError('invalid_input', 'AWS_ENDPOINT_URL_S3 is not the address of a service.', {
    hint: 'It is like https://s3.example.com, without the bucket, a user or a password.',
  });
}
