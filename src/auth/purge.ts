import type { Log } from '../log.ts';
import type { Store } from './store.ts';

const EVERY_MS = 3_600_000;

/**
 * Deletes expired rows at start and every hour: registrations and attempts, which anybody may make without end, must
 * not pile up. Returns a function that stops it.
 */
export function purgeExpired(store: Pick<Store, 'purge'>, log: Log): () => void {
  const collect = () =>
    store.purge().then(
      (counts) => log.debug({ counts }, 'deleted what was over'),
      (err) => log.warn({ err }, 'what is over stays'),
    );
  void collect();
  const timer = setInterval(() => void collect(), EVERY_MS).unref();
  return () => clearInterval(timer);
}
