import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor, Database } from '../db/database.ts';
import type { Log } from '../log.ts';
import { reportPresence } from '../services/presence.ts';

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
  /** The user, and the process that is there. */
  actor: Actor;
  /** Whether a connection of the process's own shows that it lives. */
  watched?: () => Promise<boolean>;
};

/**
 * Says for a process, or for a session that it serves, that it is there, and renews what its agents hold: in one statement
 * in the background, at most every 30 s for all that they call. What cannot be said is said again with the next.
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

  /** Says so now, so that what a lost process held is known to be free, and every 20 s. */
  start(everyMs = BEAT_MS): Promise<void> {
    this.#started ??= (async () => {
      this.#beat = setInterval(() => void this.#report(), everyMs).unref();
      if (this.#parts.watched !== undefined) this.#parts.db.onLoss?.(() => void this.#reportAfterLoss());
      await this.#report();
    })();
    return this.#started;
  }

  /** Says nothing any more, where nobody knows whether it ended. */
  stop(): void {
    this.#isOver = true;
    clearInterval(this.#beat);
    clearTimeout(this.#renewal);
  }

  /** An agent of the process called something. */
  acted(actor: Actor, agent: string): void {
    if (this.#isOver) return;
    this.#actor = reporting(actor);
    this.#agents.add(agent);
    this.#renewSoon();
  }

  /** The process ends, or its client has ended the session. Nobody waits for long. */
  async end(): Promise<void> {
    this.stop();
    await Promise.race([this.#report({ ended: true }), sleep(END_MS_MAX, undefined, { ref: false })]);
  }

  /** After the loss of a connection whoever looks takes the process for lost: it says that it is not, as soon as it can. */
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

  /** One after the other, so that the end is the last word. */
  #report(said: Report = {}): Promise<boolean> {
    this.#reported = this.#reported.then(() => this.#send(said));
    return this.#reported;
  }

  async #send({ agents = [], ended = false }: Report): Promise<boolean> {
    const { db, log, watched } = this.#parts;
    const said = { agents, ended, watched: (await watched?.()) ?? false };
    try {
      await reportPresence(db, said, this.#actor);
      return true;
    } catch (err) {
      for (const agent of agents) this.#agents.add(agent);
      log.debug({ err }, 'presence is not reported');
      return false;
    }
  }
}

/** Who says it: what is said in the background waits for nobody's turn, and no client waits for it. */
function reporting({ grant: _turn, gone: _client, proof, ...actor }: Actor): Actor {
  return { ...actor, ...(proof && { proof: { ...proof } }) };
}
