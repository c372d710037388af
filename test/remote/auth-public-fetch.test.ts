import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPublicFetch, isPublicAddress, resolveHost, TooManyFetches } from '../../src/auth/public-fetch.ts';
import { networkOf, networksOf } from '../../src/auth/rate-limit.ts';
import { documentUrl } from '../../src/auth/server/client-metadata.ts';
import { type DocumentHost, startDocumentHost } from '../support/document-host.ts';

// Somebody's service on this machine, which counts who knocks.
let inside: Server;
let knocks = 0;
let port = 0;

beforeAll(async () => {
  inside = createServer((socket) => {
    knocks += 1;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(inside, 'listening');
  port = (inside.address() as AddressInfo).port;
});
afterAll(() => inside.close());

const PRIVATE = [
  '0.0.0.0',
  '10.0.0.1',
  '100.64.0.1',
  '127.0.0.1',
  '127.8.8.8',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.168.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '::127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b:1::1',
  '2002:7f00:1::',
  '2001::1',
  '2001:db8::1',
  'fc00::1',
  'fd12::1',
  'fe80::1',
  'fec0::1',
  'ff02::1',
  '3fff::1',
  'x',
  '',
];

describe('fetching what a stranger named', () => {
  test.for(PRIVATE)('takes %s for an address that is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.for(['8.8.8.8', '1.1.1.1', '172.32.0.1', '2606:4700::1111', '2a00:1450::1'])(
    'takes %s for a public one',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  test.for([[['127.0.0.1']], [['8.8.8.8', '127.0.0.1']], [['::1']], [['::ffff:127.0.0.1']], [[]]] as const)(
    'sends no packet when a name resolves to %s',
    async ([addresses]) => {
      const resolve = async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

      const fetching = createPublicFetch({ resolve, port })(new URL('https://rebind.test/client.json'));

      await expect(fetching).rejects.toThrow('not on the public internet');
      expect(knocks).toBe(0);
    },
  );

  test('resolves once and holds on to the answer: a second one could be another', async () => {
    let asked = 0;
    const resolve = async () => [{ address: asked++ === 0 ? '127.0.0.1' : '10.0.0.1', family: 4 }];

    // If this machine counts as public, the connection goes to the first answer, and the name is not looked up again.
    await expect(
      createPublicFetch({ resolve, port, isPublic: () => true })(new URL('https://rebind.test/x')),
    ).rejects.toThrow();

    expect([asked, knocks]).toEqual([1, 1]);
  });

  test.for([
    'http://a.test/x',
    'https://a.test',
    'https://a.test/',
    'https://a.test:8443/x',
    'https://u:p@a.test/x',
    'https://a.test/x#y',
    'https://127.0.0.1/x',
    'https://[::1]/x',
    'https://localhost/x',
    'https://a.test/../x',
    'https://a.test/a/./x',
    'https://A.test/x',
    'https://a.test\\x',
    'https://2130706433/x',
    'ftp://a.test/x',
    `https://a.test/${'x'.repeat(600)}`,
  ])('asks nobody for %s', (clientId) => {
    expect(documentUrl(clientId)).toBeUndefined();
  });
});

describe('a document', () => {
  const url = new URL('https://app.example/client.json');
  let host: DocumentHost;
  let other: DocumentHost;
  beforeAll(async () => {
    [host, other] = await Promise.all([startDocumentHost('app.example'), startDocumentHost('other.example')]);
  });
  afterAll(() => {
    host?.close();
    other?.close();
  });

  test('is fetched over TLS', async () => {
    host.answer = { body: '{"a":1}', headers: { 'cache-control': 'max-age=60' } };

    expect(await host.fetching()(url)).toEqual({ document: { a: 1 }, maxAgeSeconds: 60 });
  });

  test.for([
    ['that is larger than it says it may be', { body: `"${'x'.repeat(20_000)}"` }, 'is larger than 16384 bytes'],
    ['that is a page', { headers: { 'content-type': 'text/html' }, body: '{}' }, 'answered 200 text/html'],
    ['that is elsewhere', { status: 302, headers: { location: 'https://10.0.0.1/x' }, body: '{}' }, 'answered 302'],
    ['that is not there', { status: 404, body: '{}' }, 'answered 404'],
    ['that is no JSON', { body: '<html>' }, 'JSON'],
  ] as const)('%s is not taken', async ([, answer, why]) => {
    host.answer = answer;

    await expect(host.fetching()(url)).rejects.toThrow(why);
  });

  test('that does not end is given up, as is a name that is not resolved', async () => {
    host.answer = { stays: true };

    await expect(host.fetching({ msMax: 200 })(url)).rejects.toThrow(/abort/i);
    const silent = host.fetching({ msMax: 50, resolve: () => new Promise(() => {}) });
    await expect(silent(url)).rejects.toThrow('took too long');
  });

  test('of a host that does not prove its name is not taken', async () => {
    host.answer = { body: '{}' };

    await expect(host.fetching({ ca: '' })(url)).rejects.toThrow(/self-signed|unable to verify/i);
    await expect(other.fetching()(url)).rejects.toThrow(/altnames/i);
    expect(other.asked).toBe(0);
  });

  test('is asked of the address that was looked at: one that turns out to be another gets no request', async () => {
    host.answer = { body: '{}' };
    let looked = 0;
    const isPublic = () => looked++ === 0;
    const asked = host.asked;

    await expect(host.fetching({ isPublic })(url)).rejects.toThrow('another peer answered');
    expect(host.asked).toBe(asked);
  });
});

describe('of documents whose hosts take their time', () => {
  const waiting: (() => void)[] = [];
  const open = () => createPublicFetch({ resolve: () => new Promise((answer) => waiting.push(() => answer([]))) });
  const documentAt = (host: string) => new URL(`https://${host}/client.json`);
  /** Returns how many of the requests get a slot. */
  async function placesOf(asked: Promise<unknown>[]): Promise<number> {
    const refused = asked.map((each) => each.catch((error) => error instanceof TooManyFetches));
    for (const answer of waiting.splice(0)) answer();
    return (await Promise.all(refused)).filter((isRefused) => !isRefused).length;
  }
  const times = (count: number, ask: (at: number) => Promise<unknown>) =>
    Array.from({ length: count }, (_, at) => ask(at));

  test('four of one address are fetched at once, whatever names it has, and as many that somebody trusted', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const resolve = async (host: string) => [{ address: host === 'other.test' ? '127.0.0.2' : '127.0.0.1', family: 4 }];
    const fetchDocument = createPublicFetch({ resolve, port, isPublic: () => true, msMax: 500 });
    const slow = times(6, (at) => fetchDocument(documentAt(`slow${at}.test`)));
    const trusted = times(6, (at) => fetchDocument(documentAt(`app${at}.test`), { isTrusted: true }));
    const other = times(1, () => fetchDocument(documentAt('other.test')));

    expect(await Promise.all([slow, trusted, other].map(placesOf))).toEqual([4, 4, 1]);
    silent.close();
  });

  test('four are fetched at once for one network', async () => {
    const fetchDocument = open();

    expect(
      await placesOf(times(8, (at) => fetchDocument(documentAt(`slow${at}.test`), { network: '192.0.2.0/24' }))),
    ).toBe(4);
  });

  test('twelve that nobody trusts are fetched at once, and sixteen in all: strangers do not take every place', async () => {
    const fetchDocument = open();
    const strange = times(20, (at) => fetchDocument(documentAt(`slow${at}.test`)));
    const trusted = times(8, (at) => fetchDocument(documentAt(`app${at}.test`), { isTrusted: true }));

    expect(await placesOf(strange)).toBe(12);
    expect(await placesOf(trusted)).toBe(4);
  });
});

test('a name that nobody answers for is given up, and asked about no further', async () => {
  const silent = createSocket('udp4');
  let asked = 0;
  silent.on('message', () => {
    asked += 1;
  });
  silent.bind(0, '127.0.0.1');
  await once(silent, 'listening');
  const servers = [`127.0.0.1:${silent.address().port}`];
  const asking = Array.from({ length: 12 }, (_, at) =>
    resolveHost(`slow${at}.test`, AbortSignal.timeout(300), servers).catch(({ code }) => code),
  );

  expect(new Set(await Promise.all(asking))).toEqual(new Set(['ECANCELLED']));
  expect(asked).toBeGreaterThan(0);
  silent.close();
});

test('all addresses of one IPv6 network are one sender', () => {
  expect(networkOf('::1')).toBe('0:0:0:0::/64');
  expect(networkOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
  expect(networkOf('2001:db8:1:2::1')).toBe(networkOf('2001:0db8:0001:0002:ffff::1'));
  expect(networkOf('2001:db8::1')).toBe('2001:db8:0:0::/64');
  expect(networkOf('::ffff:1.2.3.4')).toBe('1.2.3.4');
  expect(networkOf('::ffff:102:304')).toBe('1.2.3.4');
  expect(networkOf('1::2:3:4:5:1.2.3.4')).toBe('1:0:2:3::/64');
  expect(networkOf('fe80::1:2:3:4%br-lan')).toBe('fe80:0:0:0::/64');
  expect(networkOf('1.2.3.4')).toBe('1.2.3.4');
  expect(networksOf('2001:db8:1:2:3:4:5:6')).toEqual(['2001:db8:1:2::/64', '2001:db8:1::/48', '2001:db8::/32']);
  expect(networksOf('::ffff:1.2.3.4')).toEqual(['1.2.3.4', '1.2.3.0/24', '1.2.0.0/16']);
});
