import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { ensureServer, stopServer } from '../../src/db/embedded/shared-server.ts';
import { postgresDatabase } from '../../src/db/postgres.ts';
import { createLog } from '../../src/log.ts';
import { type Verified, verify } from './commands.ts';
import { seedDataDir } from './data-dir.ts';

/** A data directory of its own, and what is in it, seen past the processes that serve it. */
export type LocalWorld = {
  dataDir: string;
  rows<Row extends object>(statement: string): Promise<Row[]>;
  verify(): Promise<Verified>;
  close(): Promise<void>;
};

export async function openLocalWorld(): Promise<LocalWorld> {
  // The directory itself: a server started by root runs as another user, who must reach it.
  const dataDir = await mkdtemp(join(tmpdir(), 'cairn-local-'));
  await seedDataDir(dataDir);
  // Else each command of a test would start the server and stop it.
  const held = await ensureServer({ dataDir, log: createLog('silent') });

  async function rows<Row extends object>(statement: string): Promise<Row[]> {
    const server = await ensureServer({ dataDir, log: createLog('silent') });
    const client = new pg.Client(server.connection);
    try {
      await client.connect();
      return (await client.query<Row>(statement)).rows;
    } finally {
      await client.end();
      await server.release();
    }
  }

  return {
    dataDir,
    rows,
    async verify() {
      const [actor] = await rows<{ user_id: string; tenant_id: string }>(
        'select user_id, tenant_id from public.projects',
      );
      const server = await ensureServer({ dataDir, log: createLog('silent') });
      const db = postgresDatabase({ connection: server.connection });
      try {
        return await verify({ db, actor: actor as { user_id: string; tenant_id: string } });
      } finally {
        await db.close();
        await server.release();
      }
    },
    async close() {
      await held.release();
      await stopServer({ dataDir });
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
