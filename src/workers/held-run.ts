import type { Actor, Database } from '../db/database.ts';
import { domainErrorFrom } from '../errors.ts';
import type { Log } from '../log.ts';
import { extendJob, finishJob } from './claims.ts';

type Parts = {
  db: Database;
  log: Log;
  actor: Actor;
  kind: string;
  token: number;
  /** The length of its lease, and the time on this process's clock from which it certainly runs. */
  leaseSeconds: number;
  claimedAt: number;
};

/**
 * Holds a claimed run: extends its lease while it goes on, and aborts it when the lease is lost, or may have expired
 * while nothing could be extended.
 */
export class HeldRun {
  readonly #parts: Parts;
  readonly #lost = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #expiresAt: number;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#expiresAt = parts.claimedAt + parts.leaseSeconds * 1_000;
    this.#timer = setInterval(() => void this.#extend(), (parts.leaseSeconds * 1_000) / 3).unref();
  }

  /** Aborted when the run is another's, or may be. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Ends the run; returns false if it was not held any more, so that nothing was settled. */
  async finish(outcome: 'succeeded' | 'failed' | 'released', error?: string, duration_ms?: number): Promise<boolean> {
    clearInterval(this.#timer);
    const { db, log, actor, kind, token } = this.#parts;
    try {
      await finishJob({ db, actor }, { kind, token, outcome, error, duration_ms });
      return true;
    } catch (err) {
      // Its lease ends it, and another worker finds that it was lost.
      log.warn({ err, kind }, 'the end of a job is not recorded');
      return false;
    }
  }

  /** Leaves the run, which is another's by now or soon. */
  leave(): 'lost' {
    clearInterval(this.#timer);
    return 'lost';
  }

  async #extend(): Promise<void> {
    const { db, log, actor, kind, token, leaseSeconds } = this.#parts;
    const askedAt = performance.now();
    // A process that slept, or found no database, for so long is not believed to hold it.
    if (askedAt >= this.#expiresAt) {
      log.warn({ kind }, 'the lease of a job is over: its run is left');
      return this.#lost.abort();
    }
    try {
      await extendJob({ db, actor }, { kind, token, seconds: leaseSeconds });
      this.#expiresAt = askedAt + leaseSeconds * 1_000;
    } catch (err) {
      log.warn({ err, kind }, 'the lease of a job is not extended');
      if (domainErrorFrom(err).code === 'lock_lost') this.#lost.abort();
    }
  }
}
