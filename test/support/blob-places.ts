import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { directoryPlace } from '../../src/blobs/directory.ts';
import { type S3Bucket, s3Place } from '../../src/blobs/s3.ts';
import type { BlobPlace } from '../../src/blobs/store.ts';
import { supabasePlace } from '../../src/blobs/supabase.ts';
import { openHttpWay } from './http-way.ts';
import { createScratch } from './scratch.ts';
import { SECRET_KEY, startSupabase } from './supabase.ts';
import { S3_KEYS, startSwift } from './swift.ts';

/** The three places, for the scenarios that each of them must pass. */
export type TriedPlace = {
  location: string;
  place: BlobPlace;
  /** What others may do to the files behind our back. */
  files: {
    put(name: string, bytes: Buffer): Promise<void>;
    get(name: string): Promise<Buffer>;
    remove(name: string): Promise<void>;
    names(): Promise<string[]>;
  };
  remote?: Remote;
  close(): Promise<void>;
};

/** What only a place behind a network has. */
type Remote = {
  way: Awaited<ReturnType<typeof openHttpWay>>;
  /** No error may have it. */
  secret: string;
  /** The same place, but for one thing. */
  wrongKey: BlobPlace;
  missingBucket: BlobPlace;
  unreachable: BlobPlace;
  impatient: BlobPlace;
};

const NOWHERE = 'http://127.0.0.1:1';
const WRONG_KEY = 'a-wrong-secret-key';
const IMPATIENT_MS = 100;

export async function tryDirectory(): Promise<TriedPlace> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn blobs é-'));
  return {
    location: directory,
    place: directoryPlace(directory),
    files: {
      put: (name, bytes) => writeFile(join(directory, name), bytes),
      get: (name) => readFile(join(directory, name)),
      remove: (name) => rm(join(directory, name)),
      names: () => readdir(directory),
    },
    close: () => rm(directory, { recursive: true }),
  };
}

export async function trySupabase(): Promise<TriedPlace> {
  const scratch = await createScratch();
  const project = await startSupabase(scratch.connection);
  const way = await openHttpWay(project.url);
  const { files } = project.storage.createBucket('blobs');
  const given = { url: way.url, key: SECRET_KEY };
  return {
    location: 'supabase:blobs',
    place: supabasePlace(given, 'blobs'),
    files: {
      put: async (name, bytes) => void files.set(name, bytes),
      get: async (name) => files.get(name) ?? Buffer.alloc(0),
      remove: async (name) => void files.delete(name),
      names: async () => [...files.keys()],
    },
    remote: {
      way,
      secret: SECRET_KEY,
      wrongKey: supabasePlace({ ...given, key: WRONG_KEY }, 'blobs'),
      missingBucket: supabasePlace(given, 'missing'),
      unreachable: supabasePlace({ ...given, url: NOWHERE }, 'blobs'),
      impatient: supabasePlace(given, 'blobs', IMPATIENT_MS),
    },
    async close() {
      await way.close();
      await project.close();
      await scratch.drop();
    },
  };
}

export async function tryS3(): Promise<TriedPlace> {
  const swift = await startSwift();
  await swift.request('PUT', 'blobs');
  const way = await openHttpWay(swift.endpoint);
  const given: S3Bucket = { ...S3_KEYS, endpoint: way.url, bucket: 'blobs', prefix: 'cairn/tests/' };
  const path = (name: string) => `${given.bucket}/${given.prefix}${name}`;
  return {
    location: 's3:blobs/cairn/tests',
    place: s3Place(given),
    files: {
      put: async (name, bytes) => void (await swift.request('PUT', path(name), bytes)),
      get: (name) => swift.request('GET', path(name)),
      remove: async (name) => void (await swift.request('DELETE', path(name))),
      async names() {
        const listed = String(await swift.request('GET', 'blobs'));
        return [...listed.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key = '']) => key.slice(given.prefix.length));
      },
    },
    remote: {
      way,
      secret: given.secretAccessKey,
      wrongKey: s3Place({ ...given, secretAccessKey: WRONG_KEY }),
      missingBucket: s3Place({ ...given, bucket: 'missing' }),
      unreachable: s3Place({ ...given, endpoint: NOWHERE }),
      impatient: s3Place(given, IMPATIENT_MS),
    },
    async close() {
      await way.close();
      await swift.stop();
    },
  };
}
