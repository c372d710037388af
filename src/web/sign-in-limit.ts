import { networkOf, networksOf, takeEach } from '../auth/rate-limit.ts';
import { hashSecret } from '../auth/secrets.ts';
import type { Store } from '../auth/store.ts';
import { DomainError } from '../errors.ts';
import type { BrowserSession } from './browser-session.ts';

const QUARTER_HOUR = 15 * 60;
const DAY = 86_400;
const BROWSER_ATTEMPTS_MAX = 10;

/**
 * The account and the way to sign in. If others have used up its shared tries, this many new networks get one try a day
 * each.
 */
export type Account = { name: string; way: 'password' | 'code' | 'send'; firstTriesMax: number };

/** A running try, to be returned if it succeeds. */
export type Attempt = { account: string; buckets: string[] };

type Trier = { from: BrowserSession['from']; browser?: string | undefined };

/** Takes a try to sign in while the account is unknown: 30 a minute from a network. Raises rate_limited. */
export async function takeStart(store: Store, { from }: Trier): Promise<void> {
  const bucket = `start ${networkOf(from.ip ?? '')}`;
  const wait = await takeEach(store, from, [{ bucket, attempts_max: 30, window_seconds: 60 }]);
  if (wait !== undefined) throw tooMany(wait);
}

/**
 * Takes a try at an account. A browser that signed in to it before has ten tries of its own, which nobody else can use
 * up. Others have five a minute from their network, and share ten in a quarter of an hour; after these, the day's first
 * try of a new network still counts, for a limited number of networks. Raises rate_limited.
 */
export async function takeAttempt(store: Store, trier: Trier, account: Account): Promise<Attempt> {
  const attempt = await takeOrWait(store, trier, account);
  if ('wait' in attempt) throw tooMany(attempt.wait);
  return attempt;
}

/** Takes a try to send something to an account; undefined if the account has had enough. Raises rate_limited. */
export async function takeSending(store: Store, trier: Trier, account: Account): Promise<Attempt | undefined> {
  const attempt = await takeOrWait(store, trier, account);
  if (!('wait' in attempt)) return attempt;
  if (attempt.of === 'network') throw tooMany(attempt.wait);
  return undefined;
}

type Wait = { wait: number; of: 'network' | 'account' };

async function takeOrWait(
  store: Store,
  { from, browser }: Trier,
  { name: account, way, firstTriesMax }: Account,
): Promise<Attempt | Wait> {
  if (browser !== undefined) {
    const own = { account, browser_hash: hashSecret(browser), attempts_max: BROWSER_ATTEMPTS_MAX };
    if ((await store.takeKnownAttempt(own, from)).known) return { account, buckets: [] };
  }
  const [network, around, widest] = networksOf(from.ip ?? '');
  const ofNetwork = { bucket: `login ${network}`, attempts_max: 5, window_seconds: 60 };
  const ofNetworkWait = await takeEach(store, from, [ofNetwork]);
  if (ofNetworkWait !== undefined) return { wait: ofNetworkWait, of: 'network' };
  const shared = { bucket: `${way} ${account}`, attempts_max: 10, window_seconds: QUARTER_HOUR };
  const wait = await takeEach(store, from, [shared]);
  if (wait === undefined) return { account, buckets: [ofNetwork.bucket, shared.bucket] };
  if (firstTriesMax === 0) return { wait, of: 'account' };
  const first = [
    { bucket: `first ${way} ${account} ${around}`, attempts_max: 1, window_seconds: DAY },
    // The holder of a whole /32 has 65,536 networks of that size.
    { bucket: `first ${way} ${account} ${widest}`, attempts_max: 16, window_seconds: DAY },
    { bucket: `first ${way} ${account}`, attempts_max: firstTriesMax, window_seconds: DAY },
  ];
  if ((await takeEach(store, from, first)) !== undefined) return { wait, of: 'account' };
  return { account, buckets: [ofNetwork.bucket, ...first.map(({ bucket }) => bucket)] };
}

function tooMany(seconds: number): DomainError {
  const minutes = Math.ceil(seconds / 60);
  return new DomainError('rate_limited', 'Too many attempts.', {
    hint: `Wait ${minutes === 1 ? 'a minute' : `${minutes} minutes`}, then try again.`,
  });
}
