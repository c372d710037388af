import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { writeAtomically } from '../../atomic-write.ts';
import { codeOf, messageOf } from '../../errors.ts';
import { inspectProcess } from '../process.ts';
import { type Binaries, executable } from './binaries.ts';
import { DATABASE, type Layout, SUPERUSER } from './cluster.ts';
import { findServer, readPostmaster } from './postmaster.ts';
import { run, spawnOptions, startFailed } from './run.ts';
import type { Account } from './system-account.ts';

// The driver fills missing settings from PG* variables, by which a developer means another server; empty counts as
// missing.
const UNINFLUENCED = Object.freeze({
  ssl: false,
  sslnegotiation: 'postgres',
  options: ' ',
  client_encoding: 'UTF8',
  replication: 'false',
} as const);

/** The parameters that `pg` needs to reach the server. */
export type Connection = {
  host: string;
  port: number;
  user: string;
  database: string;
  password?: string;
} & typeof UNINFLUENCED;

// Recovery after a crash replays the log before the server answers.
const START_MS_MAX = 90_000;
const STOP_MS_MAX = 30_000;
const POLL_MS = 10;
const ORPHAN_POLL_MS = 100;
const LOG_BYTES_MAX = 1_000_000;

/** Returns how to connect, if a server seems to run. */
export async function currentConnection(paths: Layout): Promise<Connection | null> {
  const postmaster = readPostmaster(paths);
  if (postmaster === null) return null;
  const { host, port } = postmaster;
  const connection = { ...UNINFLUENCED, host, port, user: SUPERUSER, database: DATABASE };
  if (process.platform !== 'win32') return connection;
  return { ...connection, password: (await readFile(paths.passwordFile, 'utf8')).trim() };
}

/** Opens the connection that shows the server that this process is here. It also proves that the server answers. */
export async function connect(connection: Connection, name = 'cairn'): Promise<pg.Client> {
  const client = new pg.Client({
    ...connection,
    application_name: name,
    connectionTimeoutMillis: 5_000,
  });
  // Without a listener the loss of the connection would end the process.
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Starts the server and waits until it answers. The caller holds the lock. */
export async function startServer(paths: Layout, binaries: Binaries, account: Account | null): Promise<pg.Client> {
  const deadline = performance.now() + START_MS_MAX;
  for (;;) {
    try {
      return await launch(paths, binaries, account);
    } catch (error) {
      // The sessions of a killed server end at their next check; until then no other server may start.
      const orphaned = /shared memory block .* is still in use/.test(messageOf(error));
      if (!orphaned || performance.now() > deadline) throw error;
      await sleep(ORPHAN_POLL_MS);
    }
  }
}

async function launch(paths: Layout, binaries: Binaries, account: Account | null): Promise<pg.Client> {
  await disownStaleLock(paths);
  const log = await openLog(paths, account);
  const { size: logStart } = await log.stat();
  try {
    const isGone = await spawnServer(paths, { binaries, account, output: log.fd });
    const client = await waitUntilReady(paths, isGone);
    if (client !== null) return client;
    const output = (await readFile(paths.log, 'utf8').catch(() => '')).slice(logStart);
    throw startFailed(output, 'it ended at once');
  } finally {
    await log.close();
  }
}

type How = { binaries: Binaries; account: Account | null; output: number };

/** Starts the server and returns a test that tells whether it is gone again. */
async function spawnServer(paths: Layout, { binaries, account, output }: How): Promise<() => Promise<boolean>> {
  if (process.platform === 'win32') {
    // pg_ctl drops an administrator's rights, with which the server refuses to run.
    await run(executable(binaries, 'pg_ctl'), ['start', '-D', paths.cluster, '-l', paths.log, '-W', '-s'], account);
    return async () => false;
  }
  const child = spawn(executable(binaries, 'postgres'), ['-D', paths.cluster], {
    ...spawnOptions(account),
    // A separate session: a signal to our terminal's group must not reach it.
    detached: true,
    stdio: ['ignore', output, output],
  });
  let exited = false;
  child.once('error', () => {
    exited = true;
  });
  child.once('exit', () => {
    exited = true;
  });
  child.unref();
  return async () => exited;
}

/** Connects as soon as the server answers; null if it is gone before. */
export async function waitUntilReady(paths: Layout, isGone: () => Promise<boolean>): Promise<pg.Client | null> {
  const deadline = performance.now() + START_MS_MAX;
  for (;;) {
    // Read before the attempt: the last attempt comes after the exit.
    const gone = await isGone();
    const connection = await currentConnection(paths);
    try {
      if (connection !== null) return await connectCreating(connection);
    } catch (error) {
      if (!isNotReady(error)) throw error;
    }
    if (gone) return null;
    if (performance.now() > deadline) throw startFailed('', 'it does not answer');
    await sleep(POLL_MS);
  }
}

/** Connects; the first connection after initdb creates the database. */
async function connectCreating(connection: Connection): Promise<pg.Client> {
  try {
    return await connect(connection);
  } catch (error) {
    if (codeOf(error) !== '3D000') throw error;
  }
  const client = await connect({ ...connection, database: 'postgres' });
  try {
    await client.query(`create database ${DATABASE}`);
  } catch (error) {
    // The process that began it was killed, and the server finished it alone.
    if (!['42P04', '23505'].includes(codeOf(error))) throw error;
  } finally {
    await client.end();
  }
  return connect(connection);
}

/** Tells whether a failed connection only means: not yet, or no longer. */
export function isNotReady(error: unknown): boolean {
  const code = codeOf(error);
  if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', '57P01', '57P02', '57P03'].includes(code)) return true;
  return code === '' && /terminated|timeout/i.test(messageOf(error));
}

/** Stops the server: clients are cut off, committed data is kept. The caller holds the lock. */
export async function stopServer(paths: Layout, binaries: Binaries): Promise<boolean> {
  const pid = await findServer(paths);
  if (pid === null) return false;
  if (process.platform === 'win32') {
    await run(executable(binaries, 'pg_ctl'), ['stop', '-D', paths.cluster, '-m', 'fast', '-s'], null);
    return true;
  }
  process.kill(pid, 'SIGINT');
  const deadline = performance.now() + STOP_MS_MAX;
  while ((await inspectProcess(pid)) !== null) {
    if (performance.now() > deadline) throw startFailed('', `process ${pid} does not stop`);
    await sleep(POLL_MS);
  }
  return true;
}

/**
 * A killed server leaves its process id behind, and may live on as an unreaped zombie; PostgreSQL then takes it for
 * running. But it ignores the id of its own parent and still checks that no orphaned backend uses the shared memory: so
 * we put our id there instead of removing the file.
 */
async function disownStaleLock(paths: Layout): Promise<void> {
  const content = await readFile(paths.pidFile, 'utf8').catch(() => null);
  if (content === null || process.platform === 'win32') return;
  if (!/^\d+\n/.test(content)) return rm(paths.pidFile);
  await writeAtomically(paths.pidFile, content.replace(/^\d+/, String(process.pid)), { replacesLink: true });
  const postmaster = readPostmaster(paths);
  if (postmaster === null) return;
  const socket = join(paths.socketDir, `.s.PGSQL.${postmaster.port}`);
  await Promise.all([rm(socket, { force: true }), rm(`${socket}.lock`, { force: true })]);
}

async function openLog({ log }: Layout, account: Account | null) {
  const size = (await stat(log).catch(() => null))?.size ?? 0;
  if (size > LOG_BYTES_MAX) await rename(log, `${log}.1`);
  if (account === null) return open(log, 'a', 0o600);
  // When root writes into a directory of the account, the account may have put a link there.
  const handle = await open(
    log,
    constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW,
    0o600,
  );
  await handle.chown(account.uid, account.gid);
  return handle;
}
