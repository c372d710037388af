import { isIPv6 } from 'node:net';
import { OAuthRefusal } from './reply.ts';
import type { From, Store } from './store.ts';

type Limit = { name: string; max: number; seconds: number };

/** Takes one of the tries of the sender's network. Raises slow_down, 429. */
export async function takeTurn(store: Store, from: From, { name, max, seconds }: Limit): Promise<void> {
  const bucket = `${name} ${networkOf(from.ip ?? '')}`;
  const taken = await store.takeAttempt({ bucket, attempts_max: max, window_seconds: seconds }, from);
  if (taken.allowed) return;
  throw new OAuthRefusal('slow_down', 'Too many requests from this network.', {
    status: 429,
    headers: { 'retry-after': String(taken.retry_after_seconds) },
  });
}

/** Whoever has one IPv6 address has the 2^64 of its network. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('%', 1)[0]?.split('::', 2) ?? [];
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - groups.length - rest.length }, () => '0');
  const network = [...groups, ...zeros, ...rest].slice(0, 4);
  return `${network.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}
