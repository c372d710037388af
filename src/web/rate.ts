import { isIPv6 } from 'node:net';
import type { From, Store } from '../auth/store.ts';
import { DomainError } from '../errors.ts';

/** A try to sign in: five a minute from an address, ten in a quarter of an hour for an account. Raises rate_limited. */
export async function takeAttempts(store: Store, from: From, account?: string): Promise<void> {
  const limits = [{ bucket: `login ${networkOf(from.ip ?? '')}`, attempts_max: 5, window_seconds: 60 }];
  if (account !== undefined) limits.push({ bucket: `login ${account}`, attempts_max: 10, window_seconds: 900 });
  for (const limit of limits) {
    const { allowed, retry_after_seconds } = await store.takeAttempt(limit, from);
    if (allowed) continue;
    const minutes = Math.ceil(retry_after_seconds / 60);
    throw new DomainError('rate_limited', 'Too many tries.', {
      hint: `Wait ${minutes === 1 ? 'a minute' : `${minutes} minutes`}, then try again.`,
    });
  }
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
