import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type BlobRef, type BlobStore, blobStore, hashOf } from '../../src/blobs/store.ts';
import { type TriedPlace, tryDirectory, tryS3, trySupabase } from '../support/blob-places.ts';
import { lacks } from '../support/needs.ts';
import { hasSwift } from '../support/swift.ts';

const PLACES = [
  { what: 'a directory', open: tryDirectory, isRemote: false, isLacking: false },
  { what: 'a bucket of Supabase Storage', open: trySupabase, isRemote: true, isLacking: false },
  { what: 'an S3-compatible bucket', open: tryS3, isRemote: true, isLacking: lacks('swift', hasSwift) },
];
const ATTEMPTS_MAX = 3;

describe.each(PLACES)('a blob in $what', ({ open, isRemote, isLacking }) => {
  let tried: TriedPlace;
  let store: BlobStore;

  beforeAll(async () => {
    if (isLacking) return;
    tried = await open();
    store = blobStore(tried.location, tried.place);
  });
  afterEach(() => tried?.remote?.way.heal());
  afterAll(() => tried?.close());

  const everywhere = test.skipIf(isLacking);
  const remote = test.skipIf(isLacking || !isRemote);

  /** A blob that no other test has. */
  const write = (bytes = randomBytes(40)): Promise<BlobRef> =>
    store.write({ bytes, label: 'part-1', extension: '.bin' });

  function network() {
    if (tried.remote === undefined) throw new Error('It has no network.');
    return tried.remote;
  }

  everywhere.each([
    ['is empty', 0],
    ['is short', 40],
    ['has five million bytes', 5_000_000],
  ])('that %s is read as it was written, by its name with its hash', async (_, size) => {
    const bytes = randomBytes(size);

    const ref = await write(bytes);

    expect(ref).toEqual({ name: `part-1-${hashOf(bytes)}.bin`, sha256: hashOf(bytes) });
    expect((await store.read(ref)).equals(bytes)).toBe(true);
    expect((await tried.files.get(ref.name)).equals(bytes)).toBe(true);
  });

  everywhere('is kept once, however often and by however many it is written', async () => {
    const bytes = randomBytes(40);

    const first = await write(bytes);
    const others = await Promise.all(Array.from({ length: 8 }, () => write(bytes)));

    expect(others).toEqual(Array(8).fill(first));
    expect((await tried.files.names()).filter((name) => name.includes(first.sha256))).toEqual([first.name]);
  });

  everywhere.each([
    ['other', (bytes: Buffer) => Buffer.from(bytes).reverse()],
    ['longer', (bytes: Buffer) => Buffer.concat([bytes, bytes])],
    ['less', (bytes: Buffer) => bytes.subarray(0, 7)],
  ])('is refused where %s content has its name, and overwrites nothing', async (_, change) => {
    const bytes = randomBytes(40);
    const name = `part-1-${hashOf(bytes)}.bin`;
    await write();
    await tried.files.put(name, change(bytes));

    await expect(write(bytes)).rejects.toMatchObject({
      code: 'already_exists',
      hint: expect.stringMatching(/move it/),
    });

    expect((await tried.files.get(name)).equals(change(bytes))).toBe(true);
  });

  everywhere('that is gone is told from one that cannot be read', async () => {
    const ref = await write();
    await tried.files.remove(ref.name);

    const refusal = {
      code: 'not_found',
      message: expect.stringContaining(ref.name),
      hint: expect.stringMatching(/copy/),
    };
    await expect(store.read(ref)).rejects.toMatchObject(refusal);
  });

  everywhere.each([
    ['was changed', (bytes: Buffer) => bytes.fill(0, 3, 5)],
    ['lost its end', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['grew', (bytes: Buffer) => Buffer.concat([bytes, bytes])],
  ])('that %s is refused with its true hash', async (_, change) => {
    const ref = await write();
    await tried.files.put(ref.name, change(await tried.files.get(ref.name)));

    await expect(store.read(ref)).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      hint: expect.stringContaining(ref.sha256),
    });
  });

  everywhere('is neither written nor read beyond the limit', async () => {
    const small = blobStore(tried.location, tried.place, 100);
    const ref = await write(randomBytes(101));

    const written = small.write({ bytes: randomBytes(101), extension: '.bin' });

    await expect(written).rejects.toMatchObject({ code: 'payload_too_large', hint: expect.stringMatching(/Split/) });
    await expect(small.read(ref)).rejects.toMatchObject({ code: 'payload_too_large' });
    expect(await small.write({ bytes: randomBytes(100), extension: '.bin' })).toBeDefined();
  });

  everywhere.each([
    ['of a parent', '../x'],
    ['from the root', '/etc/passwd'],
    ['of two dots', '..'],
    ['with a slash', 'a/b'],
    ['with a backslash', 'a\\b'],
    ['that a disk may take for another', 'A'],
    ['of no character', ''],
    ['of too many characters', 'x'.repeat(201)],
    ['with a control character', 'a\u0000'],
  ])('is not looked for under a name %s', async (_, name) => {
    const refusal = { code: 'invalid_input', hint: expect.stringMatching(/lowercase/) };

    await expect(store.read({ name, sha256: hashOf(Buffer.alloc(0)) })).rejects.toMatchObject(refusal);
  });

  remote('is read by anybody with its URL, until that expires', async () => {
    const bytes = randomBytes(40);
    const ref = await write(bytes);

    const url = await store.signUrl(ref.name, 2);
    const answer = await fetch(url);

    expect([answer.status, Buffer.from(await answer.arrayBuffer()).equals(bytes)]).toEqual([200, true]);
    const forged = url.replace(/(\w)(\w)$/, (_, one, two) => `${two === '0' ? '1' : '0'}${one}`);
    expect((await fetch(forged)).ok).toBe(false);
    expect((await fetch(url.replace(/\?.*/, ''))).ok).toBe(false);
    await expect.poll(async () => (await fetch(url)).ok, { timeout: 10_000, interval: 500 }).toBe(false);
  });

  everywhere.each([0, -1, 1.5, 604_801, Number.NaN])('has no URL for %d seconds', async (seconds) => {
    const ref = await write();

    await expect(store.signUrl(ref.name, seconds)).rejects.toMatchObject({
      code: 'invalid_input',
      hint: expect.stringMatching(isRemote ? /seven days/ : /s3:BUCKET/),
    });
  });

  remote('needs the right key, and no error tells a key', async () => {
    const { wrongKey, secret } = network();
    const refused = blobStore(tried.location, wrongKey);
    const ref = await write();

    const attempts = [() => refused.read(ref), () => refused.write({ bytes: randomBytes(9), extension: '.bin' })];
    for (const attempt of attempts) {
      const error = await attempt().catch((reason: unknown) => reason);

      expect(error).toMatchObject({ code: 'forbidden', retryable: false, hint: expect.stringMatching(/SECRET/) });
      expect(inspect(error, { depth: 9 })).not.toMatch(new RegExp(`${secret}|a-wrong-secret-key`));
    }
  });

  remote('is neither written to nor read from a bucket that is not there', async () => {
    const missing = blobStore(tried.location, network().missingBucket);
    const refusal = { code: 'unavailable', retryable: false, hint: expect.stringMatching(/Create the private bucket/) };

    await expect(missing.read(await write())).rejects.toMatchObject(refusal);
    await expect(missing.write({ bytes: randomBytes(9), extension: '.bin' })).rejects.toMatchObject(refusal);
  });

  remote('is not waited for without end where nobody answers', async () => {
    const { unreachable, impatient, way } = network();
    const refusal = { code: 'unavailable', retryable: true, hint: expect.stringMatching(/network/) };
    const ref = await write();
    way.breakNext('silence', { method: 'GET' });
    const before = way.requests();

    await expect(blobStore(tried.location, unreachable).read(ref)).rejects.toMatchObject(refusal);
    await expect(blobStore(tried.location, impatient).read(ref)).rejects.toMatchObject(refusal);

    expect(way.requests() - before).toBe(ATTEMPTS_MAX);
  });

  remote('whose answer is cut off is asked for again, and never read in part', async () => {
    const { way } = network();
    const bytes = randomBytes(100_000);
    const ref = await write(bytes);

    way.breakNext('cut', { method: 'GET', times: ATTEMPTS_MAX - 1 });
    expect((await store.read(ref)).equals(bytes)).toBe(true);
    way.breakNext('cut', { method: 'GET' });
    await expect(store.read(ref)).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  });

  remote('that arrived, though its answer was lost, is written', async () => {
    const { way } = network();
    const bytes = randomBytes(40);
    way.breakNext('lose', { method: isRemote && tried.location.startsWith('s3:') ? 'PUT' : 'POST', times: 1 });

    const ref = await write(bytes);

    expect((await store.read(ref)).equals(bytes)).toBe(true);
  });
});
