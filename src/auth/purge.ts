import type { Log } from '../log.ts';
import type { Store } from './store.ts';

const EVERY_MS = 3_600_000;

/**
 * Deletes expired rows at start and every hour: registrations and attempts, which anybody may make without end, must
 * not pile up. Returns a function that stops it.
 */
export function purgeExpired(store: Pick<Store, 'purge'>, log: Log): () => void {
  const purge = () =>
    store.purge().then(
      (counts) => log.debug({ counts }, 'deleted expired rows'),
      (err) => log.warn({ err }, 'cannot delete expired rows'),
    );
  void purge();
  const timer = setInterval(() => void purge(), EVERY_MS).unref();
  return () => clearInterval(timer);
}
