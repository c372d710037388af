// A `cairn serve --auth` as a process of its own, with tokens for runners, and the database under it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { RUNNER_SCOPE } from '../src/auth/scopes.ts';
import { createPat } from '../src/auth/server/issue.ts';
import { blobStores } from '../src/blobs/open.ts';
import type { Context } from '../src/context.ts';
import { NOBODY } from '../src/db/database.ts';
import { ensureServer } from '../src/db/embedded/shared-server.ts';
import { postgresDatabase } from '../src/db/postgres.ts';
import { signInAs } from '../src/local.ts';
import { createLog } from '../src/log.ts';
import { freePort } from './free-port.ts';
import { startHttp } from './http-server.ts';
import { stopDatabase } from './processes.ts';
import { CLI } from './rpc.ts';

export type RunnerServer = Awaited<ReturnType<typeof startRunnerServer>>;

export async function startRunnerServer() {
  const log = createLog('error');
  const dataDir = await mkdtemp(join(tmpdir(), 'cairn-runners-'));
  const database = await ensureServer({ dataDir, log });
  const address = await freePort();
  // Migrates the database, too.
  const server = await startHttp([CLI, 'serve', '--auth', '--port', `${address}`, '--data-dir', dataDir]);
  const url = new URL(`http://127.0.0.1:${address}`);
  const db = postgresDatabase({ connection: database.connection, connectionsMax: 8 });
  const actor = await signInAs({ db, actor: NOBODY }, { identity: { issuer: 'local', subject: 'owner' } });
  const ctx: Context = { db, blobs: blobStores({}), log, scopes: 'all', actor };
  return {
    ctx,
    url,
    async tokenOf(agent: string): Promise<string> {
      const resource = new URL('/mcp', url).href;
      return (await createPat(db, actor, { name: agent, scope: RUNNER_SCOPE, agent, days: 1, resource })).token;
    },
    async sql<Row extends pg.QueryResultRow>(query: string): Promise<Row[]> {
      const client = new pg.Client(database.connection);
      await client.connect();
      return (await client.query<Row>(query).finally(() => client.end())).rows;
    },
    async stop(): Promise<void> {
      await db.close();
      await server.stop();
      await database.release();
      stopDatabase(dataDir);
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
