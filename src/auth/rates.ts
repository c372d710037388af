import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { OAuthRefusal } from './server/reply.ts';
import type { From, Store } from './store.ts';

/** So many tries in so many seconds; `wide` also bounds the networks around the one that they are of. */
type Turn = { name: string; max: number; seconds: number; wide?: boolean };
export type Limit = { bucket: string; attempts_max: number; window_seconds: number };

/** Whoever holds a network holds many smaller ones: what a wider one may do, as a multiple. */
const WIDER = Object.freeze([1, 4, 16]);

/** Takes one of the tries of the sender's network. Raises slow_down, 429. */
export async function takeTurn(store: Store, from: From, turn: Turn): Promise<void> {
  const wait = await takeEach(store, from, limitsOf(from.ip ?? '', turn));
  if (wait !== undefined) throw slowDown('Too many requests from this network.', wait);
}

/** Takes one of the tries that everybody shares: only for what would be kept, else a stranger uses them up at no cost. Raises slow_down. */
export async function takeTurnOfAll(store: Store, from: From, { name, max, seconds }: Turn): Promise<void> {
  const wait = await takeEach(store, from, [{ bucket: name, attempts_max: max, window_seconds: seconds }]);
  if (wait !== undefined) throw slowDown('Too many requests.', wait);
}

function slowDown(message: string, seconds: number): OAuthRefusal {
  return new OAuthRefusal('slow_down', message, { status: 429, headers: { 'retry-after': String(seconds) } });
}

/** From the narrowest on, so that what one of them refuses is not taken from whoever shares the wider ones. */
function limitsOf(address: string, { name, max, seconds, wide = false }: Turn): Limit[] {
  const networks = wide ? networksOf(address) : [networkOf(address)];
  return networks.map((network, at) => ({
    bucket: `${name} ${network}`,
    attempts_max: max * (WIDER[at] ?? 1),
    window_seconds: seconds,
  }));
}

/** Takes a try of each, until one has none left: then how many seconds until it has. */
export async function takeEach(store: Store, from: From, limits: readonly Limit[]): Promise<number | undefined> {
  for (const limit of limits) {
    const { allowed, retry_after_seconds } = await store.takeAttempt(limit, from);
    if (!allowed) return retry_after_seconds;
  }
  return undefined;
}

/** Whoever has one IPv6 address has the 2^64 of its network. */
export function networkOf(address: string): string {
  return networksOf(address)[0];
}

/** The network of an address and two around it: of IPv6 /64, /48 and /32, of IPv4 the address itself, /24 and /16. */
export function networksOf(address: string): [narrow: string, wide: string, widest: string] {
  // Whoever has left already has none.
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
