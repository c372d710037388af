import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { blobStores } from '../../src/blobs/open.ts';
import { hashOf } from '../../src/blobs/store.ts';
import { readConfig } from '../../src/config.ts';
import { lacks } from '../support/needs.ts';
import { hasSwift, S3_KEYS, startSwift } from '../support/swift.ts';

const { region: AWS_REGION, accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY } = S3_KEYS;
const KEYS = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };

/** Opens a place with what the environment says. */
const open = (location: string, env: Record<string, string> = {}) => blobStores(readConfig({}, env))(location);

describe('opening a place for blobs', () => {
  test.skipIf(lacks('swift', hasSwift))('reaches a bucket with the variables of every S3 client', async () => {
    const swift = await startSwift();
    await swift.request('PUT', 'logs');
    const bytes = Buffer.from('Feed the pelican');
    for (const [location, env] of [
      ['s3:logs', { AWS_REGION, AWS_ENDPOINT_URL_S3: swift.endpoint, AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }],
      ['s3:logs/of/cairn-1', { AWS_DEFAULT_REGION: AWS_REGION, AWS_ENDPOINT_URL: `${swift.endpoint}/` }],
    ] as const) {
      const store = await open(location, { ...KEYS, ...env });

      const ref = await store.write({ bytes, extension: '.txt' });

      expect(store.location).toBe(location);
      expect(await swift.request('GET', `${location.slice('s3:'.length)}/${ref.name}`)).toEqual(bytes);
    }
    await swift.stop();
  });

  test('asks the service of the region by default', async () => {
    const url = await (await open('s3:logs/a', { ...KEYS, AWS_REGION })).signUrl('x.bin', 60);

    expect(url).toMatch(/^https:\/\/s3\.eu-test-1\.amazonaws\.com\/logs\/a\/x\.bin\?.*X-Amz-Expires=60&/);
  });

  test('with a temporary key says so in each request', async () => {
    const store = await open('s3:logs', { ...KEYS, AWS_SESSION_TOKEN: 'temporary' });

    expect(await store.signUrl('x.bin', 60)).toContain('X-Amz-Security-Token=temporary');
  });

  test.for<[location: string, env: Record<string, string>, refusal: object]>([
    ['s3:', KEYS, { code: 'invalid_input', hint: /s3:archive/ }],
    ['s3:ab', KEYS, { code: 'invalid_input', hint: /s3:archive/ }],
    ['s3:../x', KEYS, { code: 'invalid_input', hint: /s3:archive/ }],
    ['s3:logs/', KEYS, { code: 'invalid_input', hint: /s3:archive/ }],
    ['s3:logs/a/../b', KEYS, { code: 'invalid_input', hint: /s3:archive/ }],
    ['s3:logs//a', KEYS, { code: 'invalid_input', hint: /s3:archive/ }],
    ['s3:logs/a b', KEYS, { code: 'invalid_input', hint: /s3:archive/ }],
    ['s3:logs\n', KEYS, { code: 'invalid_input', hint: /s3:archive/ }],
    ['s3:logs', {}, { code: 'unavailable', retryable: false, hint: /AWS_ACCESS_KEY_ID/ }],
    ['s3:logs', { AWS_ACCESS_KEY_ID }, { code: 'unavailable', retryable: false, hint: /AWS_SECRET_ACCESS_KEY/ }],
    ['s3:logs', { ...KEYS, AWS_REGION: 'a/b' }, { code: 'invalid_input', hint: /eu-central-1/ }],
    ['s3:logs', { ...KEYS, AWS_ENDPOINT_URL_S3: 's3.test' }, { code: 'invalid_input', hint: /https/ }],
    ['s3:logs', { ...KEYS, AWS_ENDPOINT_URL_S3: 'ftp://s3.test' }, { code: 'invalid_input', hint: /https/ }],
    ['s3:logs', { ...KEYS, AWS_ENDPOINT_URL_S3: 'https://a:b@s3.test' }, { code: 'invalid_input', hint: /password/ }],
    ['supabase:a/b', {}, { code: 'invalid_input', hint: /supabase:archive/ }],
    ['supabase:..', {}, { code: 'invalid_input', hint: /supabase:archive/ }],
    ['supabase:a', {}, { code: 'unavailable', retryable: false, hint: /SUPABASE_SECRET_KEY/ }],
    ['gs:a', {}, { code: 'unavailable', retryable: false, hint: /Update cairn/ }],
    [join('relative', 'path'), {}, { code: 'unavailable', retryable: false }],
  ])('at %j with %j is refused', async ([location, env, refusal]) => {
    const expected = Object.entries(refusal).map(([key, value]) => [
      key,
      value instanceof RegExp ? expect.stringMatching(value) : value,
    ]);

    const opening = open(location, env);

    await expect(opening).rejects.toMatchObject(Object.fromEntries(expected));
    await expect(opening).rejects.not.toThrow(AWS_SECRET_ACCESS_KEY);
  });

  test('whose variables make no sense hinders nothing else', async () => {
    const env = { AWS_ACCESS_KEY_ID: 'x'.repeat(9_999), AWS_REGION: '?', AWS_ENDPOINT_URL: 'nonsense' };

    expect(readConfig({}, env)).not.toHaveProperty('s3AccessKeyId', expect.any(String));
    await expect((await open('/nowhere', env)).read({ name: 'x', sha256: hashOf(Buffer.of()) })).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});
