import pg from 'pg';
import type { Config } from '../config.ts';
import { DomainError, domainErrorFrom } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Actor, Database } from './database.ts';
import { postgresDatabase } from './postgres.ts';
import { pendingMigrations } from './schema/migrate.ts';
import { upgradeEmbedded } from './schema/upgrade.ts';

export type OpenDatabase = {
  db: Database;
  /** Whether a transaction pooler or HTTP is in between, through which LISTEN hears nothing. */
  isPooled(): boolean;
  /** Whether its connections are the server's own, so that the loss of one tells something. */
  isDirect(): Promise<boolean>;
  /** Whether a call of this process may have added events, where connections are kept. */
  hasGrown(): boolean;
  /** Who the engine itself knows to be calling; left out, the caller signs someone in. */
  user?: Pick<Actor, 'user_id'>;
  /** A connection that is there already and idle, where there is one: for a word before the first call. */
  spare?: (() => pg.Client) | undefined;
  /** A connection of one's own, for LISTEN and for migrating; the caller ends it. */
  connect(): Promise<pg.Client>;
  /** Closes everything; the last process to leave stops the embedded server. */
  close(): Promise<void>;
};

export type OpenOptions = {
  /** How many calls of this process the database may work on at once. */
  connectionsMax?: number;
  /** With false the embedded database is not started: where it does not run, unavailable is raised. */
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
// Over HTTP there is no connection of one's own.
const AWAY = Object.freeze({ isPooled: () => true, isDirect: async () => false, hasGrown: () => false });
// As Prisma has it and Supabase prints it, or Supabase's port. Of any other transaction pooler the first call finds out.
const POOLER = /:6543\/|[?&]pgbouncer=true(&|$)/;

/** Opens the engine without looking at its schema: for `cairn migrate` and the like. */
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

/** Opens the database that the configuration names, with the schema of this program. */
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
    // Reads it, and the files that it names, without connecting.
    new pg.Client({ connectionString });
  } catch (cause) {
    throw new DomainError('invalid_input', `DATABASE_URL cannot be used: ${(cause as Error).message}.`, {
      hint: 'It is like postgres://user:password@host:5432/database?sslmode=verify-full&sslrootcert=/path/to/ca.pem.',
      cause,
    });
  }
  return { connection: { connectionString }, pooled: POOLER.test(connectionString), release: async () => {} };
}

/** A server calls with the secret key; anyone else as the user who signed in. */
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
    throw new DomainError('invalid_input', 'SUPABASE_URL is set, and no key to call it with.', {
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

/** A server that others use too is migrated by a person, at a time of their choice. */
async function refuseOutdated(client: pg.Client): Promise<void> {
  const pending = await pendingMigrations(client);
  if (pending.length === 0) return;
  throw new DomainError('unavailable', `The database misses ${pending.length} migrations of this cairn.`, {
    hint: 'Run `cairn migrate` with the same DATABASE_URL as a role that owns the schema.',
    retryable: false,
  });
}
