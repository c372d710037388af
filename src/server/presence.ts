import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor, Database } from '../db/database.ts';
import type { Log } from '../log.ts';

const BEAT_MS = 20_000;
const RENEW_MS = 30_000;
const END_MS_MAX = 500;
const AGENTS_MAX = 100;
const RETURN_MS = 1_000;
const RETURN_TRIES = 20;

type Report = { agents?: string[]; ended?: boolean };

type Parts = {
  db: Database;
  log: Log;
  /** The user, and the process whose presence it reports. */
  actor: Actor;
  /** Tells whether a connection of the process itself shows that it lives. */
  watched?: () => Promise<boolean>;
};

/**
 * Reports that a process, or a session that it serves, is alive, and renews its agents' locks: in one statement in the
 * background, at most every 30 s for all their calls. A failed report is repeated with the next.
 */
export class ProcessPresence {
  readonly #parts: Parts;
  readonly #agents = new Set<string>();
  #renewedAt = Number.NEGATIVE_INFINITY;
  #renewal: NodeJS.Timeout | undefined;
  #beat: NodeJS.Timeout | undefined;
  #isReturning = false;
  #isOver = false;
  #started: Promise<void> | undefined;
  #actor: Actor;
  #reported: Promise<boolean> = Promise.resolve(true);

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#actor = reporting(parts.actor);
  }

  /** Reports now, so that a lost process's locks are known to be free, and every 20 s. */
  start(everyMs = BEAT_MS): Promise<void> {
    this.#started ??= (async () => {
      this.#beat = setInterval(() => void this.#report(), everyMs).unref();
      if (this.#parts.watched !== undefined) this.#parts.db.onLoss?.(() => void this.#reportAfterLoss());
      await this.#report();
    })();
    return this.#started;
  }

  /** Ends the reports if nobody knows whether the process ended. */
  stop(): void {
    this.#isOver = true;
    clearInterval(this.#beat);
    clearTimeout(this.#renewal);
  }

  /** Notes that an agent of the process made a call. */
  acted(actor: Actor, agent: string): void {
    if (this.#isOver) return;
    this.#actor = reporting(actor);
    this.#agents.add(agent);
    this.#renewSoon();
  }

  /** Reports that the process ended, or its client ended the session. Nobody waits for long. */
  async end(): Promise<void> {
    this.stop();
    await Promise.race([this.#report({ ended: true }), sleep(END_MS_MAX, undefined, { ref: false })]);
  }

  /** Reports again after a lost connection, as soon as possible: others take the process for lost. */
  async #reportAfterLoss(): Promise<void> {
    if (this.#isReturning) return;
    this.#isReturning = true;
    for (let tries = 0; tries < RETURN_TRIES && !this.#isOver; tries += 1) {
      if (await this.#report()) break;
      await sleep(RETURN_MS, undefined, { ref: false });
    }
    this.#isReturning = false;
  }

  #renewSoon(): void {
    const due = Math.max(0, this.#renewedAt + RENEW_MS - performance.now());
    this.#renewal ??= setTimeout(() => void this.#renew(), due).unref();
  }

  async #renew(): Promise<void> {
    this.#renewal = undefined;
    this.#renewedAt = performance.now();
    const agents = [...this.#agents].slice(0, AGENTS_MAX);
    for (const agent of agents) this.#agents.delete(agent);
    await this.#report({ agents });
    if (this.#agents.size > 0) this.#renewSoon();
  }

  /** Sends reports one after the other, so that the end is the last. */
  #report(said: Report = {}): Promise<boolean> {
    this.#reported = this.#reported.then(() => this.#send(said));
    return this.#reported;
  }

  async #send({ agents = [], ended = false }: Report): Promise<boolean> {
    const { db, log, watched } = this.#parts;
    const said = { agents, ended, watched: (await watched?.()) ?? false };
    try {
      await db.call('report_presence', said, this.#actor);
      return true;
    } catch (err) {
      for (const agent of agents) this.#agents.add(agent);
      log.debug({ err }, 'presence is not reported');
      return false;
    }
  }
}

/** Returns the actor of reports: background work takes nobody's turn, and no client waits for it. */
function reporting({ grant: _turn, gone: _client, ...actor }: Actor): Actor {
  return actor;
}
