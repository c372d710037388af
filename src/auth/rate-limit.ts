import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { OAuthRefusal } from './server/reply.ts';
import type { From, Store } from './store.ts';

/** A number of tries in a number of seconds; `wide` also bounds the wider networks around the sender's. */
type Turn = { name: string; max: number; seconds: number; wide?: boolean };
export type Limit = { bucket: string; attempts_max: number; window_seconds: number };

/** The limits of wider networks as multiples: the holder of a wide network holds many narrow ones. */
const WIDER = Object.freeze([1, 4, 16]);

/** Takes a try of the sender's network. Raises slow_down, 429. */
export async function takeTurn(store: Store, from: From, turn: Turn): Promise<void> {
  const wait = await takeEach(store, from, limitsOf(from.ip ?? '', turn));
  if (wait !== undefined) throw slowDown('Too many requests from this network.', wait);
}

/**
 * Takes a try that everybody shares: only for rows that are kept, otherwise a stranger uses them up at no cost. Raises
 * slow_down.
 */
export async function takeTurnOfAll(store: Store, from: From, { name, max, seconds }: Turn): Promise<void> {
  const wait = await takeEach(store, from, [{ bucket: name, attempts_max: max, window_seconds: seconds }]);
  if (wait !== undefined) throw slowDown('Too many requests.', wait);
}

function slowDown(message: string, seconds: number): OAuthRefusal {
  return new OAuthRefusal('slow_down', message, { status: 429, headers: { 'retry-after': String(seconds) } });
}

/** Lists the narrowest limit first, so that a refusal there takes nothing from senders who share the wider ones. */
function limitsOf(address: string, { name, max, seconds, wide = false }: Turn): Limit[] {
  const networks = wide ? networksOf(address) : [networkOf(address)];
  return networks.map((network, at) => ({
    bucket: `${name} ${network}`,
    attempts_max: max * (WIDER[at] ?? 1),
    window_seconds: seconds,
  }));
}

/** Takes a try of each limit. When one has none left, returns the seconds until it has. */
export async function takeEach(store: Store, from: From, limits: readonly Limit[]): Promise<number | undefined> {
  for (const limit of limits) {
    const { allowed, retry_after_seconds } = await store.takeAttempt(limit, from);
    if (!allowed) return retry_after_seconds;
  }
  return undefined;
}

/** Returns the sender's network: the holder of one IPv6 address holds the 2^64 of its /64. */
export function networkOf(address: string): string {
  return networksOf(address)[0];
}

/** Returns an address's network and two around it: /64, /48 and /32 of IPv6; the IPv4 address itself, /24 and /16. */
export function networksOf(address: string): [narrow: string, wide: string, widest: string] {
  // A client that has already left has no address.
  if (isIP(address) === 0) return [address, `${address}.0/24`, `${address}.0.0/16`];
  const [unscoped = ''] = address.split('%', 1);
  // An IPv4 address that came as one of IPv6 counts as what it is.
  const parsed = ipaddr.process(unscoped);
  if (parsed instanceof ipaddr.IPv4) {
    const [first, second, third] = parsed.octets;
    return [parsed.toString(), `${first}.${second}.${third}.0/24`, `${first}.${second}.0.0/16`];
  }
  const groups = parsed.parts.map((part) => part.toString(16));
  const network = (count: number) => `${groups.slice(0, count).join(':')}::/${count * 16}`;
  return [network(4), network(3), network(2)];
}
