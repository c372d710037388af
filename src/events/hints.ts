import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Topic } from '../db/database.ts';

// In a busy workspace a hint comes with every command of others.
const PAUSE_MS_MIN = 50;

type Wanted = { topic: Topic; of: string | undefined };

/** Tells of hints of some topics, each of one workspace or run, or of any. */
export function hintsFor(db: Database, topics: Wanted[], signal: AbortSignal) {
  let hinted = false;
  let wake = () => {};
  const listening = topics.map(({ topic, of: wanted }) =>
    db.listen?.((of) => {
      if (of !== null && wanted !== undefined && of !== wanted) return;
      hinted = true;
      wake();
    }, topic),
  );
  signal.addEventListener('abort', () => wake(), { once: true });
  return {
    /** Tells whether hints arrive at all. */
    hears: () => listening.every((one) => one?.hears() === true),
    /** Settles at a hint since the last one, and after so many milliseconds. */
    async next(ms: number): Promise<void> {
      await sleep(PAUSE_MS_MIN, undefined, { signal }).catch(() => {});
      if (!hinted && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      hinted = false;
      wake = () => {};
    },
    stop: () => {
      for (const one of listening) one?.stop();
    },
  };
}
