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

export type Listener = { listen(hint: Ear['hint'], topic: Topic): Listening; close(): Promise<void> };

/** One listening connection, open only while somebody wants to hear; remade after a loss. */
export function createListener(connection: pg.ClientConfig): Listener {
  const ears = new Set<Ear>();
  const closing = new AbortController();
  let session: Session | undefined;
  let running: Promise<void> | undefined;
  let idle: NodeJS.Timeout | undefined;

  function heard(tenant: Hint, channel?: string): void {
    for (const { hint, topic } of ears) if (channel === undefined || channel === CHANNELS[topic]) hint(tenant);
  }

  async function run(): Promise<void> {
    for (let pause: number = RECONNECT_MS.min; ears.size > 0 && !closing.signal.aborted; ) {
      const started = Date.now();
      session = openSession(connection, heard);
      const { deaf } = await session.over;
      session = undefined;
      if (deaf) pause = DEAF_MS;
      else if (Date.now() - started > RECONNECT_MS.max) pause = RECONNECT_MS.min;
      else pause = Math.min(pause * 2, RECONNECT_MS.max);
      if (ears.size > 0) await sleep(pause, undefined, { signal: closing.signal, ref: false }).catch(() => {});
    }
    running = ears.size > 0 && !closing.signal.aborted ? run() : undefined;
  }

  return {
    listen(hint, topic) {
      const ear = { hint, topic };
      clearTimeout(idle);
      ears.add(ear);
      running ??= run();
      return {
        hears: () => session?.hears() === true,
        stop() {
          ears.delete(ear);
          if (ears.size > 0) return;
          clearTimeout(idle);
          idle = setTimeout(() => ears.size === 0 && session?.end(), IDLE_MS);
          idle.unref();
        },
      };
    },
    async close() {
      closing.abort();
      clearTimeout(idle);
      ears.clear();
      session?.end();
      await running;
    },
  };
}

type Session = { hears(): boolean; end(): void; over: Promise<{ deaf: boolean }> };

/** Listens until the connection is gone. It is deaf if it does not even hear itself. */
function openSession(connection: pg.ClientConfig, heard: (tenant: Hint, channel?: string) => void): Session {
  const client = new pg.Client({
    ...connection,
    application_name: 'cairn listen',
    connectionTimeoutMillis: CONNECT_MS_MAX,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  });
  const probe = `${PROBE}${randomUUID()}`;
  let hearing = false;
  const lost = new Promise<void>((resolve) => client.on('error', () => resolve()).once('end', () => resolve()));
  const probed = new Promise<void>((resolve) => {
    client.on('notification', ({ channel, payload = '' }) => {
      if (payload === probe) resolve();
      else if (!payload.startsWith(PROBE)) heard(payload === '' ? null : payload, channel);
    });
  });

  async function hear(): Promise<{ deaf: boolean }> {
    try {
      await client.connect();
      for (const channel of Object.values(CHANNELS)) await client.query(`listen ${channel}`);
      await client.query('select pg_notify($1, $2)', [CHANNELS.events, probe]);
      const answered = Promise.race([probed, lost]).then(() => true);
      if (!(await Promise.race([answered, sleep(PROBE_MS_MAX, false, { ref: false })]))) return { deaf: true };
      hearing = true;
      // Earlier hints were missed.
      heard(null);
      await lost;
      return { deaf: false };
    } catch {
      return { deaf: false };
    } finally {
      hearing = false;
      await client.end().catch(() => {});
    }
  }

  // When ended during its making, a connection tells its waiter nothing (pg, Client.end).
  let tellEnd = () => {};
  const ended = new Promise<{ deaf: boolean }>((resolve) => {
    tellEnd = () => resolve({ deaf: false });
  });
  const end = () =>
    void client
      .end()
      .catch(() => {})
      .finally(tellEnd);
  return { hears: () => hearing, end, over: Promise.race([hear(), ended]) };
}
