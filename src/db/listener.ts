import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Hint, Listening, Topic } from './database.ts';
import { CHANNELS } from './notifier.ts';

const PROBE = 'probe ';
const CONNECT_MS_MAX = 10_000;
const PROBE_MS_MAX = 3_000;
const RECONNECT_MS = Object.freeze({ min: 100, max: 5_000 });
// A transaction pooler accepts LISTEN and delivers nothing; it will not change.
const DEAF_MS = 60_000;
// An agent that waits repeatedly should find the connection open.
const IDLE_MS = 30_000;
const KEEP_ALIVE_MS = 10_000;

type Ear = { hint: (tenant: Hint) => void; topic: Topic };
type Heard = (tenant: Hint, channel?: string) => void;

/** One listening connection, open only while somebody wants to hear; remade after a loss. */
export class Listener {
  readonly #connection: pg.ClientConfig;
  readonly #ears = new Set<Ear>();
  readonly #closing = new AbortController();
  #session: Session | undefined;
  #running: Promise<void> | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(connection: pg.ClientConfig) {
    this.#connection = connection;
  }

  listen(hint: Ear['hint'], topic: Topic): Listening {
    const ear = { hint, topic };
    clearTimeout(this.#idle);
    this.#ears.add(ear);
    this.#running ??= this.#run();
    return { hears: () => this.#session?.hears === true, stop: () => this.#stop(ear) };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#idle);
    this.#ears.clear();
    this.#session?.end();
    await this.#running;
  }

  #stop(ear: Ear): void {
    this.#ears.delete(ear);
    if (this.#ears.size > 0) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#ears.size === 0 && this.#session?.end(), IDLE_MS).unref();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const isWanted = () => this.#ears.size > 0 && !signal.aborted;
    for (let pause: number = RECONNECT_MS.min; isWanted(); ) {
      const started = Date.now();
      this.#session = new Session(this.#connection, (tenant, channel) => this.#tell(tenant, channel));
      const { deaf } = await this.#session.over;
      this.#session = undefined;
      if (deaf) pause = DEAF_MS;
      else if (Date.now() - started > RECONNECT_MS.max) pause = RECONNECT_MS.min;
      else pause = Math.min(pause * 2, RECONNECT_MS.max);
      if (this.#ears.size > 0) await sleep(pause, undefined, { signal, ref: false }).catch(() => {});
    }
    this.#running = isWanted() ? this.#run() : undefined;
  }

  #tell(tenant: Hint, channel?: string): void {
    for (const { hint, topic } of this.#ears) if (channel === undefined || channel === CHANNELS[topic]) hint(tenant);
  }
}

/** Listens until the connection is gone. It is deaf if it does not even hear itself. */
class Session {
  readonly over: Promise<{ deaf: boolean }>;
  readonly #client: pg.Client;
  readonly #heard: Heard;
  #hears = false;
  // When ended during its making, a connection tells its waiter nothing (pg, Client.end).
  #tellEnd = () => {};

  constructor(connection: pg.ClientConfig, heard: Heard) {
    this.#heard = heard;
    this.#client = new pg.Client({
      ...connection,
      application_name: 'cairn listen',
      connectionTimeoutMillis: CONNECT_MS_MAX,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    });
    const ended = new Promise<{ deaf: boolean }>((resolve) => {
      this.#tellEnd = () => resolve({ deaf: false });
    });
    this.over = Promise.race([this.#hear(), ended]);
  }

  get hears(): boolean {
    return this.#hears;
  }

  end(): void {
    void this.#client
      .end()
      .catch(() => {})
      .finally(this.#tellEnd);
  }

  async #hear(): Promise<{ deaf: boolean }> {
    const client = this.#client;
    const probe = `${PROBE}${randomUUID()}`;
    const lost = new Promise<void>((resolve) => client.on('error', () => resolve()).once('end', () => resolve()));
    const probed = new Promise<void>((resolve) => {
      client.on('notification', ({ channel, payload = '' }) => {
        if (payload === probe) resolve();
        else if (!payload.startsWith(PROBE)) this.#heard(payload === '' ? null : payload, channel);
      });
    });
    try {
      await client.connect();
      for (const channel of Object.values(CHANNELS)) await client.query(`listen ${channel}`);
      await client.query('select pg_notify($1, $2)', [CHANNELS.events, probe]);
      const answered = Promise.race([probed, lost]).then(() => true);
      if (!(await Promise.race([answered, sleep(PROBE_MS_MAX, false, { ref: false })]))) return { deaf: true };
      this.#hears = true;
      // Earlier hints were missed.
      this.#heard(null);
      await lost;
      return { deaf: false };
    } catch {
      return { deaf: false };
    } finally {
      this.#hears = false;
      await client.end().catch(() => {});
    }
  }
}
