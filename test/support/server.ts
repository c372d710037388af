import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { findBinaries } from '../../src/db/embedded/binaries.ts';
import { ensureServer, stopServer } from '../../src/db/embedded/shared-server.ts';
import { createLog } from '../../src/log.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The connection of this test run's server. */
    server: { host: string; port: number; user: string; database: string; password?: string };
    /** A directory of this run. */
    scratch: string;
  }
}

// What protects data from a power failure is nothing that the tests look at.
const SETTINGS = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' };

/**
 * One server for the whole run: the bundled PostgreSQL, or with CAIRN_TEST_PG=15, 16 or 17 an older one that is
 * supported. Where many runs follow each other CAIRN_TEST_SERVER is how to reach one that is there, with an empty
 * database.
 */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  // Each project of the configuration asks; all have what the root provides.
  if (!project.isRootProject()) return undefined;
  const scratch = await mkdtemp(join(tmpdir(), 'cairn-test-'));
  // A server started by root runs as another user, who must reach it.
  await chmod(scratch, 0o755);
  project.provide('scratch', scratch);
  const running = process.env.CAIRN_TEST_SERVER;
  if (running !== undefined) {
    project.provide('server', JSON.parse(running));
    return () => rm(scratch, { recursive: true, force: true });
  }
  const dataDir = join(scratch, 'server');
  const major = process.env.CAIRN_TEST_PG;
  const binaries = await findBinaries(
    major === undefined ? undefined : fileURLToPath(new URL(`postgres-${major}/package.json`, import.meta.url)),
  );
  if (major !== undefined && binaries.major !== major) throw new Error(`PostgreSQL ${major} is not installed: npm ci.`);
  const server = await ensureServer({ dataDir, log: createLog('silent'), binaries });
  await adjust(server.connection);
  project.provide('server', server.connection);

  return async () => {
    await server.release();
    // A test that failed may have left a connection behind.
    await stopServer({ dataDir, binaries });
    await rm(scratch, { recursive: true, force: true });
  };
}

async function adjust(connection: pg.ClientConfig): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  for (const [name, value] of Object.entries(SETTINGS)) await client.query(`alter system set ${name} = '${value}'`);
  await client.query('select pg_reload_conf()');
  await client.end();
}
