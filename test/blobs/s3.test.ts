import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { s3Place } from '../../src/blobs/s3.ts';
import { type BlobStore, blobStore, hashOf } from '../../src/blobs/store.ts';
import { S3_KEYS } from '../support/swift.ts';

// What services answer that the one of the contract does not: a server that says what a test wants it to.

type Said = { status: number; code?: string; headers?: Record<string, string> };

const BLOB = { bytes: Buffer.from('Feed the pelican'), extension: '.txt' };
const NAME = `${hashOf(BLOB.bytes)}.txt`;

let server: Server;
let store: BlobStore;
let answers: (request: IncomingMessage) => Said;
let seen: { method: string; url: string; headers: IncomingMessage['headers']; body: Buffer }[] = [];

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    seen.push({ method, url, headers, body: await buffer(request) });
    const { status, code, headers: more } = answers(request);
    response.writeHead(status, more).end(code && `<Error><Code>${code}</Code><Message>x</Message></Error>`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/base`;
  store = blobStore('s3:logs/a', s3Place({ ...S3_KEYS, endpoint, bucket: 'logs', prefix: 'a/' }));
});
afterEach(() => {
  seen = [];
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

const methods = () => seen.map(({ method }) => method);

describe('writing to S3', () => {
  test('asks the service to check the bytes, and to overwrite nothing', async () => {
    answers = ({ method }) => ({ status: method === 'HEAD' ? 404 : 200 });

    await store.write(BLOB);

    const put = seen.at(-1);
    expect(put).toMatchObject({ method: 'PUT', url: `/base/logs/a/${NAME}`, body: BLOB.bytes });
    expect(put?.headers).toMatchObject({ 'if-none-match': '*', 'x-amz-content-sha256': hashOf(BLOB.bytes) });
    expect(put?.headers.authorization).toMatch(/SignedHeaders=[^,]*if-none-match[^,]*x-amz-content-sha256/);
  });

  test('goes on without the condition where the service does not know it', async () => {
    answers = ({ method, headers }) => {
      if (method === 'HEAD') return { status: 404 };
      return headers['if-none-match'] === undefined ? { status: 200 } : { status: 501, code: 'NotImplemented' };
    };

    await store.write(BLOB);

    expect(methods()).toEqual(['HEAD', 'PUT', 'PUT']);
  });

  test('sends nothing where the name is taken, so that a service without the condition overwrites nothing', async () => {
    answers = () => ({ status: 200 });

    await expect(store.write(BLOB)).rejects.toMatchObject({ code: 'already_exists' });

    expect(methods()).toEqual(['HEAD', 'GET']);
  });

  test('is repeated while another write of the same name goes on', async () => {
    let conflicts = 1;
    answers = ({ method }) => {
      if (method === 'HEAD') return { status: 404 };
      return conflicts-- > 0 ? { status: 409, code: 'ConditionalRequestConflict' } : { status: 200 };
    };

    await store.write(BLOB);

    expect(methods()).toEqual(['HEAD', 'PUT', 'PUT']);
  });
});

test.for<[Said, object, number]>([
  [{ status: 503, code: 'SlowDown' }, { code: 'rate_limited', hint: /Wait/ }, 3],
  [{ status: 500, code: 'InternalError' }, { code: 'unavailable', retryable: true }, 3],
  [{ status: 403, code: 'RequestTimeTooSkewed' }, { code: 'forbidden', hint: /clock/ }, 1],
  [{ status: 403, code: 'AccessDenied' }, { code: 'forbidden', hint: /s3:ListBucket/ }, 1],
  [{ status: 400, code: 'AuthorizationHeaderMalformed' }, { code: 'invalid_input', hint: /AWS_REGION/ }, 1],
  [{ status: 301, code: 'PermanentRedirect' }, { code: 'invalid_input', hint: /AWS_REGION/ }, 1],
  [{ status: 307, headers: { location: 'http://127.0.0.1:1/' } }, { code: 'invalid_input', hint: /AWS_ENDPOINT/ }, 1],
  [{ status: 400, code: 'EntityTooLarge' }, { code: 'payload_too_large', hint: /Split/ }, 1],
  [{ status: 400, code: 'OddRequest' }, { code: 'unavailable', message: /OddRequest/, retryable: false }, 1],
  [{ status: 404, code: 'NoSuchKey' }, { code: 'not_found', hint: /copy/ }, 1],
])('%j is explained, with a remedy', async ([said, refusal, requests]) => {
  answers = () => said;
  const expected = Object.entries(refusal).map(([key, value]) => [
    key,
    value instanceof RegExp ? expect.stringMatching(value) : value,
  ]);

  await expect(store.read({ name: NAME, sha256: hashOf(BLOB.bytes) })).rejects.toMatchObject(
    Object.fromEntries(expected),
  );

  expect(seen).toHaveLength(requests);
});
