import pg from 'pg';
import type { Config } from '../config.ts';
import { DomainError, domainErrorFrom, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Actor, Database } from './database.ts';
import { postgresDatabase } from './postgres.ts';
import { pendingMigrations } from './schema/migrate.ts';
import { upgradeEmbedded } from './schema/upgrade.ts';

export type OpenDatabase = {
  db: Database;
  /** Tells whether a transaction pooler or HTTP is in between, through which LISTEN hears nothing. */
  isPooled(): boolean;
  /** Tells whether its connections are the server's own, so that the loss of one tells something. */
  isDirect(): Promise<boolean>;
  /** Tells whether a call of this process may have added events, if connections are kept. */
  hasGrown(): boolean;
  /** The user that the engine itself knows; without one, the caller signs someone in. */
  user?: Pick<Actor, 'user_id'>;
  /** An idle connection, if there is one: for work before the first call. */
  spare?: (() => pg.Client) | undefined;
  /** A separate connection, for LISTEN and for migrating; the caller ends it. */
  connect(): Promise<pg.Client>;
  /** Closes everything; the last process to leave stops the embedded server. */
  close(): Promise<void>;
};

export type OpenOptions = {
  /** The number of concurrent calls of this process in the database. */
  connectionsMax?: number;
  /** With false the embedded database is not started: raises unavailable if it does not run. */
  start?: boolean;
};

type Engine = {
  connection: pg.ClientConfig;
  pooled?: boolean;
  spare?: () => pg.Client;
  revive?: () => Promise<void>;
  release(): Promise<void>;
};

const CONNECT_MS_MAX = 10_000;
// Over HTTP a process keeps no connection.
const AWAY = Object.freeze({ isPooled: () => true, isDirect: async () => false, hasGrown: () => false });
// Prisma's parameter, which Supabase prints, or Supabase's port. The first call detects any other transaction pooler.
const POOLER = /:6543\/|[?&]pgbouncer=true(&|$)/;

/** Opens the engine without checking its schema: for `cairn migrate` and the like. */
export async function openEngine(
  config: Config,
  log: Log,
  { start = true, ...options }: OpenOptions = {},
): Promise<OpenDatabase> {
  if (config.supabaseUrl !== undefined) return supabase(config, config.supabaseUrl);
  const engine =
    config.databaseUrl === undefined ? await embedded(config, { log, start }) : postgres(config.databaseUrl);
  const { release, spare, ...reached } = engine;
  const { connection } = reached;
  const db = postgresDatabase({ ...reached, ...options });
  return {
    db,
    isPooled: db.isPooled,
    isDirect: db.isDirect,
    hasGrown: db.hasGrown,
    spare,
    async connect() {
      try {
        return await connect(connection, log);
      } catch (error) {
        if (engine.revive === undefined || domainErrorFrom(error).code !== 'unavailable') throw domainErrorFrom(error);
        await engine.revive();
        return connect(connection, log).catch((again) => Promise.reject(domainErrorFrom(again)));
      }
    },
    async close() {
      await db.close();
      await release();
    },
  };
}

async function connect(connection: pg.ClientConfig, log: Log): Promise<pg.Client> {
  const client = new pg.Client({ application_name: 'cairn', connectionTimeoutMillis: CONNECT_MS_MAX, ...connection });
  client.on('error', (error) => log.debug({ err: error }, 'connection lost'));
  await client.connect();
  return client;
}

/** Opens the configured database, with the schema of this program. */
export async function openDatabase(config: Config, log: Log, options: OpenOptions = {}): Promise<OpenDatabase> {
  const open = await openEngine(config, log, options);
  // Over HTTP the first call tells what the schema lacks.
  if (config.supabaseUrl !== undefined) return open;
  try {
    const there = open.spare?.();
    const client = there ?? (await open.connect());
    try {
      if (config.databaseUrl === undefined) await upgradeEmbedded(client, config.dataDir, log);
      else await refuseOutdated(client);
    } finally {
      if (there === undefined) await client.end();
    }
    return open;
  } catch (error) {
    await open.close();
    throw error;
  }
}

async function embedded({ dataDir, lingerSeconds }: Config, options: { log: Log; start: boolean }): Promise<Engine> {
  const { ensureServer } = await import('./embedded/shared-server.ts');
  return ensureServer({ dataDir, lingerSeconds, ...options });
}

function postgres(connectionString: string): Engine {
  try {
    // Parses it, and reads the files that it names, without connecting.
    new pg.Client({ connectionString });
  } catch (cause) {
    throw new DomainError('invalid_input', `DATABASE_URL cannot be used: ${messageOf(cause)}.`, {
      hint: 'It is like postgres://user:password@host:5432/database?sslmode=verify-full&sslrootcert=/path/to/ca.pem.',
      cause,
    });
  }
  return { connection: { connectionString }, pooled: POOLER.test(connectionString), release: async () => {} };
}

/** Opens Supabase: a server calls with the secret key, anyone else as the signed-in user. */
async function supabase(config: Config, url: string): Promise<OpenDatabase> {
  const { supabasePublishableKey, supabaseSecretKey } = config;
  const [{ supabaseDatabase }, sessions] = await Promise.all([
    import('./supabase/database.ts'),
    import('./supabase/session.ts'),
  ]);
  const connect = async () => {
    throw new DomainError('unavailable', 'A Supabase project is called over HTTP: there is no connection to it.', {
      hint: 'Run this with --database-url and the connection string of the project.',
      retryable: false,
    });
  };
  if (supabaseSecretKey !== undefined) {
    const db = supabaseDatabase({ project: { url, key: supabaseSecretKey } });
    return { db, ...AWAY, connect, close: () => db.close() };
  }
  if (supabasePublishableKey === undefined) {
    throw new DomainError('invalid_input', 'SUPABASE_URL is set, but no key.', {
      hint: 'Set SUPABASE_PUBLISHABLE_KEY and run `cairn login`, or on a server set SUPABASE_SECRET_KEY.',
    });
  }
  const file = sessions.sessionFile(config.configDir, url);
  const stored = await sessions.readSession(file);
  if (stored === null) {
    throw new DomainError('unauthenticated', `Nobody is signed in to ${new URL(url).host}.`, {
      hint: 'Run `cairn login` in a terminal, then repeat the call.',
    });
  }
  const { user_id } = stored;
  const project = { url, key: supabasePublishableKey };
  const db = supabaseDatabase({ project, session: sessions.followSession(file, user_id, project) });
  return { db, ...AWAY, user: { user_id }, connect, close: () => db.close() };
}

/** Refuses an outdated schema: a person migrates a shared server, when they choose to. */
async function refuseOutdated(client: pg.Client): Promise<void> {
  const pending = await pendingMigrations(client);
  if (pending.length === 0) return;
  throw new DomainError('unavailable', `The database misses ${pending.length} migrations of this cairn.`, {
    hint: 'Run `cairn migrate` with the same DATABASE_URL as a role that owns the schema.',
    retryable: false,
  });
}
