import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isEmbedded } from '../../brief-files.ts';
import type { Config } from '../../config.ts';
import { withLock } from '../../db/lock.ts';
import type { Local } from '../../local.ts';
import type { Log } from '../../log.ts';

const EVERY_MS = 30_000;
const JITTER = 0.2;
const ACTIVE_MS = 3_600_000;

type Parts = {
  config: Config;
  local: Pick<Local, 'db' | 'blobs' | 'connect'>;
  log: Log;
  /** The time between two looks, and how long after the last call a process is still used. */
  everyMs?: number;
  activeMs?: number;
};

/**
 * Runs jobs that touch an embedded database alone, beside an agent: of any number of processes one, while calls come.
 * The others look at a file from time to time, not at the database.
 */
export class BackgroundJobs {
  readonly #parts: Required<Parts>;
  readonly #leaving = new AbortController();
  #calledAt = performance.now();
  #loop: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = { everyMs: EVERY_MS, activeMs: ACTIVE_MS, ...parts };
  }

  start(): void {
    if (isEmbedded(this.#parts.config)) this.#loop ??= this.#run();
  }

  /** Notes that somebody uses this process. */
  called(): void {
    this.#calledAt = performance.now();
  }

  async stop(): Promise<void> {
    this.#leaving.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { config, log } = this.#parts;
    while (await this.#waits()) {
      if (!this.#isActive()) continue;
      // Refused at once where another process does it.
      await withLock(join(config.dataDir, 'worker-lock'), () => this.#work(), 0).catch((err) =>
        log.debug({ err }, 'another process runs jobs, or none can'),
      );
    }
  }

  /** Works until nobody has used this process for an hour, and then leaves it to one that is used. */
  async #work(): Promise<void> {
    const { config, local, log, everyMs } = this.#parts;
    const { db, blobs, connect } = local;
    const [{ Worker }, { jobKindsOf }] = await Promise.all([
      import('../../workers/worker.ts'),
      import('../../workers/jobs.ts'),
    ]);
    const worker = new Worker({
      machine: { config, db, blobs, log, connect },
      kinds: jobKindsOf(config),
      runs: ({ needs }) => needs === 'database',
      everyMs: { most: everyMs, least: everyMs },
    });
    worker.start();
    while (this.#isActive() && (await this.#waits()));
    await worker.stop();
  }

  #isActive(): boolean {
    return performance.now() - this.#calledAt < this.#parts.activeMs;
  }

  /** Returns whether this process goes on after a while. */
  async #waits(): Promise<boolean> {
    const { signal } = this.#leaving;
    await sleep(this.#parts.everyMs * (1 + Math.random() * JITTER), undefined, { signal, ref: false }).catch(() => {});
    return !signal.aborted;
  }
}
