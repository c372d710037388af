import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { EmbeddedServer } from '../../src/db/embedded/shared-server.ts';

/** The build, for processes of their own. */
export const EMBEDDED = new URL('../../build/src/db/embedded/shared-server.js', import.meta.url).href;

type How = { idleSeconds?: number; lingerSeconds?: number; uid?: number; gid?: number };

export async function query(server: EmbeddedServer, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(server.connection);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A process of its own that holds the server until its standard input ends. It prints "ready" once it is there. */
export function startProcess(
  dataDir: string,
  { idleSeconds = 300, lingerSeconds = 0, ...account }: How = {},
): {
  child: ChildProcess;
  ready: Promise<void>;
} {
  const script = `
    import { ensureServer } from ${JSON.stringify(EMBEDDED)};
    const log = { info() {}, debug() {} };
    const times = ${JSON.stringify({ idleSeconds, lingerSeconds })};
    const server = await ensureServer({ dataDir: ${JSON.stringify(dataDir)}, log, ...times });
    console.log('ready');
    process.stdin.resume().on('end', () => server.release());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
    ...account,
  });
  return { child, ready: once(child.stdout as NodeJS.ReadableStream, 'data').then(() => {}) };
}

export async function serverPid(dataDir: string): Promise<number> {
  return Number((await readFile(join(dataDir, 'pg', 'postmaster.pid'), 'utf8')).split('\n')[0]);
}
