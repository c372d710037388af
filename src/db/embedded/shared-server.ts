import { access } from 'node:fs/promises';
import type pg from 'pg';
import { codeOf, DomainError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { isLocked, withLock } from '../lock.ts';
import { type Binaries, findBinaries, prepareBinaries } from './binaries.ts';
import { checkVersion, configure, ensureCluster, type Layout, layout } from './cluster.ts';
import { isWatched, outlastIdleness, USERS, watchIdleness } from './idle.ts';
import {
  type Connection,
  connect,
  currentConnection,
  isNotReady,
  startServer,
  stopServer as stopProcess,
  waitUntilReady,
} from './postgres-process.ts';
import { findServer } from './postmaster.ts';
import { prepareDataDir, unusable } from './system-account.ts';

// Many processes share one server. Each keeps one connection open as long as it lives: its mark of presence, which the
// system removes even when the process is killed. The last process to leave lets the server linger, since the next may
// come soon; if none does, or the last were killed, the server stops itself after a while. If it must not linger, each
// leaving process asks it, under the lock, whether anyone else is connected, and stops it if not. A new process
// connects first and looks second, at the lock and at the session by which the server stops itself: so either the
// stopping process sees the new connection, or the new process sees the stop and waits.

export type EmbeddedOptions = {
  dataDir: string;
  log: Log;
  /** The binaries to run, if not those that npm installed for this package. */
  binaries?: Binaries;
  /** How long the server lingers after the last process has left; with 0 that process stops it. */
  lingerSeconds?: number;
  /** How long it goes on after its users were killed, if it must not linger. */
  idleSeconds?: number;
  /** With false never starts a server: raises unavailable if none runs. */
  start?: boolean;
};

export type EmbeddedServer = {
  connection: Connection;
  /** The connection that marks our presence. It is used for nothing else, except work before the first call. */
  spare(): pg.Client;
  /** Makes sure that the server runs again after it was stopped or killed. */
  revive(): Promise<void>;
  /** Leaves; after the last process the server lingers, or is stopped. */
  release(): Promise<void>;
};

export type ServerStatus = {
  data_dir: string;
  running: boolean;
  pid: number | null;
  connections: number;
  server_version: string | null;
  size_bytes: number | null;
};

const ATTEMPTS_MAX = 5;
const IDLE_SECONDS = 300;

/** Makes sure that a server runs for the data directory, and stays while we are here. */
export async function ensureServer(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { dataDir, log, lingerSeconds = 0, idleSeconds = IDLE_SECONDS, start: mayStart = true } = options;
  const seconds = lingerSeconds === 0 ? idleSeconds : lingerSeconds;
  const paths = layout(dataDir);
  const binaries = options.binaries ?? (await findBinaries());

  const come = async () =>
    (await connectIfRunning(paths)) ?? (mayStart ? start(paths, binaries, log) : Promise.reject(notRunning()));

  async function comeIn(): Promise<Presence & { watch: Promise<pg.Client | null> }> {
    const { client, connection } = await arrive(paths, binaries, come);
    const watch = watchIdleness(client, { connection, binaries, seconds }).catch((err) => {
      log.debug({ err }, 'the embedded database is not watched');
      return null;
    });
    return { client, connection, watch };
  }

  let presence = await comeIn();
  let reviving: Promise<void> | null = null;

  return {
    connection: presence.connection,
    spare: () => presence.client,
    revive() {
      reviving ??= (async () => {
        await Promise.all([presence.client.end(), presence.watch.then((watch) => watch?.end())]).catch(() => {});
        presence = await comeIn();
      })().finally(() => {
        reviving = null;
      });
      return reviving;
    },
    async release() {
      await reviving?.catch(() => {});
      // Until the server knows its name it would count as a user.
      await (await presence.watch)?.end();
      await leave(paths, { binaries, lingers: lingerSeconds > 0 }, presence.client);
    },
  };
}

type Presence = { client: pg.Client; connection: Connection };

async function arrive(paths: Layout, binaries: Binaries, come: () => Promise<pg.Client>): Promise<Presence> {
  try {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      await checkVersion(paths, binaries);
      const client = await come();
      const connection = await currentConnection(paths);
      if (connection !== null && (await stays(paths, client))) return { client, connection };
      await client.end().catch(() => {});
    }
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw unusable(paths.dataDir, error);
  }
  throw new DomainError('unavailable', 'Other processes keep stopping the embedded database.', {
    hint: 'Repeat the call in a moment.',
  });
}

function notRunning(): DomainError {
  return new DomainError('unavailable', 'The embedded database does not run.', {
    hint: 'Any command that uses it starts it.',
  });
}

/** Tells whether the connected server goes on: nobody was stopping it, or the stopping process has seen us. */
async function stays(paths: Layout, client: pg.Client): Promise<boolean> {
  const look = () =>
    outlastIdleness(client).then(
      () => true,
      () => false,
    );
  return (await isLocked(paths.lock)) ? withLock(paths.lock, look) : look();
}

async function connectIfRunning(paths: Layout): Promise<pg.Client | null> {
  const connection = await currentConnection(paths);
  if (connection === null) return null;
  try {
    return await connect(connection);
  } catch (error) {
    if (isNotReady(error) || codeOf(error) === '3D000') return null;
    throw error;
  }
}

async function start(paths: Layout, binaries: Binaries, log: Log): Promise<pg.Client> {
  const account = await prepareDataDir(paths.dataDir);
  return withLock(paths.lock, async () => {
    // Someone else may have started it while we waited; or it is recovering from a crash, or is killed meanwhile.
    const isGone = async () => (await findServer(paths)) === null;
    const running = (await connectIfRunning(paths)) ?? ((await isGone()) ? null : await waitUntilReady(paths, isGone));
    if (running !== null) return running;

    const started = performance.now();
    const ready = await prepareBinaries(binaries, account, paths.dataDir);
    const created = await ensureCluster(paths, ready, account);
    await configure(paths, account);
    const client = await startServer(paths, ready, account);
    const ms = Math.round(performance.now() - started);
    log.info({ data_dir: paths.dataDir, created, ms }, 'embedded database started');
    return client;
  });
}

type Leaving = { binaries: Binaries; lingers: boolean };

/** Ends our presence. If it was the last one, stops the server unless it lingers and will stop itself. */
async function leave(paths: Layout, { binaries, lingers }: Leaving, presence: pg.Client): Promise<void> {
  if (lingers && (await isWatched(presence).catch(() => false))) return presence.end().catch(() => {});
  await withLock(paths.lock, async () => {
    let client: pg.Client | null = presence;
    let others = await countOthers(client);
    if (others === null) {
      // Our mark was lost, with the server or alone.
      await client.end().catch(() => {});
      client = await connectIfRunning(paths);
      others = client === null ? null : await countOthers(client);
    }
    await client?.end().catch(() => {});
    if (others === 0) await stopProcess(paths, binaries);
  });
}

async function countOthers(client: pg.Client): Promise<number | null> {
  const sql = `select count(*)::int as others from pg_stat_activity
    where ${USERS} and pid <> pg_backend_pid()`;
  return client.query(sql).then(
    ({ rows }) => rows[0].others,
    () => null,
  );
}

/** Tells whether the data directory has a database, running or not. */
export async function hasCluster(dataDir: string): Promise<boolean> {
  return access(layout(dataDir).versionFile).then(
    () => true,
    () => false,
  );
}

/** Reads the status without starting anything. */
export async function serverStatus(dataDir: string): Promise<ServerStatus> {
  const paths = layout(dataDir);
  const client = await connectIfRunning(paths);
  const stopped = {
    data_dir: dataDir,
    running: false,
    pid: null,
    connections: 0,
    server_version: null,
    size_bytes: null,
  };
  if (client === null) return stopped;
  try {
    const { rows } = await client.query(
      `select current_setting('server_version') as server_version, pg_database_size(current_database())::float8 as size_bytes`,
    );
    const connections = (await countOthers(client)) ?? 0;
    return { data_dir: dataDir, running: true, pid: await findServer(paths), connections, ...rows[0] };
  } finally {
    await client.end();
  }
}

/** Stops the server, even while others use it. Committed data stays; a process that still needs it starts it again. */
export async function stopServer({ dataDir, binaries }: Omit<EmbeddedOptions, 'log'>): Promise<{ stopped: boolean }> {
  const paths = layout(dataDir);
  if ((await findServer(paths)) === null) return { stopped: false };
  const installed = binaries ?? (await findBinaries());
  return { stopped: await withLock(paths.lock, () => stopProcess(paths, installed)) };
}
