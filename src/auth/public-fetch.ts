import { Resolver } from 'node:dns/promises';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { BlockList, isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { createCounts } from '../counts.ts';
import { codeOf, messageOf } from '../errors.ts';
import { type ProxyServer, usesProxy } from '../proxy.ts';
import { networkOf } from './rate-limit.ts';

/**
 * Gets a small JSON document that a stranger named; reaches only the public internet. Raises TooManyFetches,
 * Unreachable.
 */
export type PublicFetch = (
  url: URL,
  asker?: Asker,
) => Promise<{ document: unknown; maxAgeSeconds: number | undefined }>;

/** The network of the asker, and whether somebody trusted the document before. */
type Asker = { network?: string | undefined; isTrusted?: boolean };

/** Says nothing about the document: too many others are being fetched. */
export class TooManyFetches extends Error {}

/**
 * Says nothing about the document: the fetch failed. `why` is short and reveals nothing about the network around this
 * machine.
 */
export class Unreachable extends Error {
  readonly why: string;

  constructor(why: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.why = why;
  }
}

type Address = { address: string; family: number };
export type PublicFetchParts = {
  resolve?: (host: string, signal: AbortSignal) => Promise<Address[]>;
  /** The address check, port, authority and timeout: replaced in tests, whose servers are on this machine. */
  isPublic?: (address: string) => boolean;
  port?: number;
  ca?: string;
  msMax?: number;
  bytesMax?: number;
  /** Looks the host up and connects: only for hosts that the operator named, since nobody checks their addresses. */
  proxy?: ProxyServer | undefined;
};

const BYTES_MAX = 16_384;
const MS_MAX = 5_000;
const ASKING = Object.freeze({ accept: 'application/json', 'user-agent': 'cairn' });
const LOOKUP_MS_MAX = 2_000;
const OPEN_MAX = 16;
// Slow hosts of strangers must leave slots for others: trusted documents, other hosts' addresses, other askers'
// networks.
const OPEN_UNTRUSTED_MAX = 12;
const OPEN_HOST_MAX = 4;
const OPEN_NETWORK_MAX = 4;

/**
 * Resolves once, requires every address to be public, pins the connection to them (no rebinding) and checks its peer;
 * follows no redirect; bounds size, time and number (RFC 9728, section 7.7).
 */
export function createPublicFetch(parts: PublicFetchParts = {}): PublicFetch {
  const { resolve = resolveHost, isPublic = isPublicAddress, port = 443, ca } = parts;
  const { bytesMax = BYTES_MAX, msMax = MS_MAX, proxy } = parts;
  const places = createPlaces();

  async function fetchFrom(url: URL, isTrusted: boolean): ReturnType<PublicFetch> {
    const signal = AbortSignal.timeout(msMax);
    if (proxy !== undefined && usesProxy(proxy, url))
      return fetchThroughProxy(proxy, url, { signal, port, ca, bytesMax });
    const addresses = await Promise.race([resolve(url.hostname, signal), expired(signal)]);
    const [first] = addresses;
    if (first === undefined || !addresses.every(({ address }) => isPublic(address))) {
      // Same error as for an unknown name: otherwise strangers learn which internal names exist.
      throw new Unreachable('ENOTFOUND', `${url.hostname} is not on the public internet`);
    }
    const kind = isTrusted ? 'trusted host' : 'host';
    const leave = places.take([[`${kind} ${networkOf(first.address)}`, OPEN_HOST_MAX]]);
    try {
      return await read(url, first, signal);
    } finally {
      leave();
    }
  }

  async function read(url: URL, first: Address, signal: AbortSignal): ReturnType<PublicFetch> {
    const response = await new Promise<IncomingMessage>((answered, failed) => {
      const asked = request(url, {
        port,
        ...(ca === undefined ? {} : { ca }),
        agent: false,
        signal,
        headers: ASKING,
        lookup: (_host, options, found) =>
          options.all === true ? found(null, [first]) : found(null, first.address, first.family),
      });
      asked.on('socket', (socket) =>
        socket.on('secureConnect', () => {
          if (isPublic(socket.remoteAddress ?? '')) return;
          asked.destroy(new Unreachable('ENOTFOUND', 'another peer answered'));
        }),
      );
      asked.on('response', answered).on('error', failed).end();
    });
    return answerOf(response.statusCode ?? 0, response, bytesMax);
  }

  return async (url, asker = {}) => {
    const { network, isTrusted = false } = asker;
    const leave = places.take([
      ['all', OPEN_MAX],
      ...(isTrusted ? [] : [['untrusted', OPEN_UNTRUSTED_MAX] as const]),
      ...(network === undefined ? [] : [[`network ${network}`, OPEN_NETWORK_MAX] as const]),
    ]);
    try {
      return await fetchFrom(url, isTrusted);
    } catch (error) {
      throw unreachable(error);
    } finally {
      leave();
    }
  };
}

type ProxiedFetch = { signal: AbortSignal; port: number; ca: string | undefined; bytesMax: number };

/** Fetches through the proxy; TLS goes on to the host. Loads the proxy client on demand, and follows no redirect. */
async function fetchThroughProxy(proxy: ProxyServer, url: URL, { signal, port, ca, bytesMax }: ProxiedFetch) {
  const { ProxyAgent, request: ask } = await import('../proxied-request.ts');
  const dispatcher = new ProxyAgent({ uri: proxy.url, ...(ca === undefined ? {} : { requestTls: { ca } }) });
  try {
    const target = new URL(url);
    target.port = String(port);
    const { statusCode, headers, body } = await ask(target, { dispatcher, signal, headers: { ...ASKING } });
    return await answerOf(statusCode, Object.assign(body, { headers }), bytesMax);
  } finally {
    await dispatcher.destroy();
  }
}

async function answerOf(status: number, answer: Answer, bytesMax: number): ReturnType<PublicFetch> {
  return { document: await readJson(status, answer, bytesMax), maxAgeSeconds: maxAgeOf(answer) };
}

/** Counts running fetches by each key that bounds them. */
function createPlaces() {
  const taken = createCounts();
  return {
    /** Takes a slot under each key and returns a function that releases them. Raises TooManyFetches. */
    take(limits: readonly (readonly [key: string, max: number])[]): () => void {
      if (limits.some(([key, max]) => taken.of(key) >= max)) {
        throw new TooManyFetches('too many documents are being fetched');
      }
      const keys = limits.map(([key]) => key);
      taken.add(keys, 1);
      return () => taken.add(keys, -1);
    },
  };
}

/**
 * Asks the name servers through c-ares, which can be cancelled: getaddrinfo keeps one of the four threads that files
 * and passwords need too. Ignores the machine's hosts file. Puts IPv4 first, since not every machine has IPv6.
 */
export async function resolveHost(host: string, signal: AbortSignal, servers?: readonly string[]): Promise<Address[]> {
  const resolver = new Resolver({ timeout: LOOKUP_MS_MAX, tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const found = [...addressesOf(four, 4), ...addressesOf(six, 6)];
    if (found.length === 0 && four.status === 'rejected') throw four.reason;
    return found;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function addressesOf(answer: PromiseSettledResult<string[]>, family: number): Address[] {
  return answer.status === 'fulfilled' ? answer.value.map((address) => ({ address, family })) : [];
}

type Answer = Readable & { headers: IncomingHttpHeaders };

/** Tells whether the status says nothing about the document: the host is overloaded or keeps machines out. */
function isInconclusive(status: number): boolean {
  return status >= 500 || [401, 403, 407, 408, 425, 429].includes(status);
}

async function readJson(status: number, response: Answer, bytesMax: number): Promise<unknown> {
  const type = response.headers['content-type'] ?? '';
  if (status !== 200 || !/^application\/([\w.-]+\+)?json\b/i.test(type)) {
    response.destroy();
    const message = `it answered ${status} ${/^[\w.+/-]{0,60}/.exec(type)?.[0]}`.trim();
    throw isInconclusive(status) ? new Unreachable(`it answered ${status}`, message) : new Error(message);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  const received: AsyncIterable<Buffer> = response;
  for await (const chunk of received) {
    size += chunk.length;
    if (size > bytesMax) throw new Error(`is larger than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function maxAgeOf({ headers }: Answer): number | undefined {
  const said = headers['cache-control'] ?? '';
  if (/no-store|no-cache/i.test(said)) return 0;
  const [, seconds] = /max-age=(\d{1,9})/i.exec(said) ?? [];
  return seconds === undefined ? undefined : Number(seconds);
}

function expired(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

/** Tells a failed fetch from a bad document. Codes are shown, messages are not: some name addresses. */
function unreachable(error: unknown): unknown {
  const name = error instanceof Error ? error.name : undefined;
  const code = codeOf(error);
  if (name === 'AbortError' || name === 'TimeoutError') return new Unreachable('ETIMEDOUT', 'took too long', error);
  if (!/^[A-Z][A-Z\d_]{2,60}$/.test(code)) return error;
  return new Unreachable(code, messageOf(error), error);
}

// Networks that are not global in IANA's special-purpose registries, or that carry an IPv4 address, which is checked by
// itself.
const NOT_PUBLIC = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  NOT_PUBLIC.addSubnet(network, bits, 'ipv4');
}
const GLOBAL_UNICAST = new BlockList();
GLOBAL_UNICAST.addSubnet('2000::', 3, 'ipv6');
const NOT_PUBLIC_6 = new BlockList();
// Teredo and others of 2001::/23, documentation, 6to4 (which carries an IPv4 address), documentation again.
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  NOT_PUBLIC_6.addSubnet(network, bits, 'ipv6');
}

export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !NOT_PUBLIC.check(address, 'ipv4');
  // Nothing outside 2000::/3 is public: loopback, link-local, unique local, mapped and NAT64 addresses are there.
  return family === 6 && GLOBAL_UNICAST.check(address, 'ipv6') && !NOT_PUBLIC_6.check(address, 'ipv6');
}
