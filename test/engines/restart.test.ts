import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Context } from '../../src/context.ts';
import { type EmbeddedServer, ensureServer, stopServer } from '../../src/db/embedded/shared-server.ts';
import { type PostgresDatabase, postgresDatabase } from '../../src/db/postgres.ts';
import { migrate } from '../../src/db/schema/migrate.ts';
import { createLog } from '../../src/log.ts';
import { blobs } from '../support/blobs.ts';
import { call, plan } from '../support/calls.ts';
import { signIn } from '../support/engine.ts';

const WRITERS = [1, 2, 3, 4];

const log = createLog('silent');

let dataDir: string;
let servers: EmbeddedServer[];
let db: PostgresDatabase;
let ada: Context;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cairn-restart-'));
  if (process.getuid?.() === 0) await chmod(dataDir, 0o755);
  servers = [await ensureServer({ dataDir, log })];
  const connection = servers[0]?.connection ?? {};
  const client = new pg.Client(connection);
  await client.connect();
  await migrate(client);
  await client.end();
  // A server of one's own: no program of ours starts it again.
  db = postgresDatabase({ connection, connectionsMax: WRITERS.length });
  const { actor } = await signIn(db, 'ada');
  ada = { db, blobs, log, scopes: 'all', actor };
  await plan(ada, []);
}, 60_000);

afterAll(async () => {
  await db.close();
  for (const server of servers) await server.release();
  await stopServer({ dataDir });
  await rm(dataDir, { recursive: true, force: true });
});

test('a server that restarts under its writers: each goes on by itself, and what was acknowledged is there once', {
  timeout: 90_000,
}, async () => {
  const codes = new Set<string>();
  let acknowledged = 0;
  let isOver = false;
  async function write(writer: number): Promise<void> {
    for (let at = 0; !isOver; ) {
      const input = { project: 'web', text: `Note ${writer}-${at}.`, idempotency_key: `${writer}-${at}` };
      try {
        await call(ada, 'record_event', input);
        acknowledged += 1;
        at += 1;
      } catch (error) {
        codes.add((error as { code: string }).code);
        await pause(20);
      }
    }
  }
  const writing = Promise.all(WRITERS.map(write));

  await expect.poll(() => acknowledged, { timeout: 20_000 }).toBeGreaterThan(10);
  await stopServer({ dataDir });
  await expect.poll(() => codes.size, { timeout: 20_000 }).toBeGreaterThan(0);
  servers.push(await ensureServer({ dataDir, log }));
  const before = acknowledged;
  await expect.poll(() => acknowledged, { timeout: 20_000 }).toBeGreaterThan(before + 10);
  isOver = true;
  await writing;

  expect([...codes]).toEqual(['unavailable']);
  expect(await db.call('verify_events', {}, ada.actor)).toMatchObject({ ok: true, events: acknowledged + 1 });
});
