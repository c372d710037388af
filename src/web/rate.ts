import { networkOf } from '../auth/rates.ts';
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
