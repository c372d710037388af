import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { findBinaries } from '../../src/db/embedded/binaries.ts';
import { ensureServer, stopServer } from '../../src/db/embedded.ts';
import { createLog } from '../../src/log.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** How to reach the server of this test run. */
    server: { host: string; port: number; user: string; database: string; password?: string };
  }
}

const POSTGRES_15 = fileURLToPath(new URL('postgres-15/package.json', import.meta.url));

/** One server for the whole run: the bundled PostgreSQL, or with CAIRN_TEST_PG=15 the oldest that is supported. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'cairn-test-'));
  const binaries = await findBinaries(process.env.CAIRN_TEST_PG === '15' ? POSTGRES_15 : undefined);
  const server = await ensureServer({ dataDir, log: createLog('silent'), binaries });
  project.provide('server', server.connection);

  return async () => {
    await server.release();
    // A test that failed may have left a connection behind.
    await stopServer({ dataDir, binaries });
    await rm(dataDir, { recursive: true, force: true });
  };
}
