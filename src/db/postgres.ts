import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { codeOf, domainErrorFrom, isExhausted, messageOf } from '../errors.ts';
import { withCleanAnswers } from './clean.ts';
import type { Actor, Database } from './database.ts';
import { directness } from './direct.ts';
import { FUNCTIONS, type FunctionName, QUIET } from './functions.ts';
import { Listener } from './listener.ts';
import { createNotifiers } from './notifier.ts';

export type PostgresOptions = {
  connection: pg.ClientConfig;
  connectionsMax?: number;
  /** Behind a transaction pooler each call may run on another connection. By default detected. */
  pooled?: boolean;
  /** Called once when no connection can be made for a call that somebody waits for, before the only retry. */
  revive?: () => Promise<void>;
  limits?: Partial<Limits> | undefined;
};

export type PostgresDatabase = Database & {
  /** Tells whether a transaction pooler is in between: no session state outlives a call, and LISTEN hears nothing. */
  isPooled(): boolean;
  /** Tells whether a connection is the server's own: a pooler in between shows another process id. */
  isDirect(): Promise<boolean>;
  /** Tells whether a call of this process may have added events. */
  hasGrown(): boolean;
};

/** Milliseconds: to connect, for the server to answer each kind of call, and for its answer to arrive. */
type Limits = { connect: number; short: number; long: number; grace: number };

const LIMITS: Limits = Object.freeze({
  connect: 10_000,
  short: 30_000,
  long: 3_600_000,
  // A client that gives up before the server leaves the outcome open, so the server's limit comes first.
  grace: 5_000,
});
// Detects a silently broken idle connection within this time.
const KEEP_ALIVE_MS = 30_000;
const FLUSH_MS_MAX = 1_000;
const CLOSE_MS_MAX = 500;
const ATTEMPTS_MAX = 3;
const BACKOFF_MS_MAX = 40;
// The transaction was rolled back: deadlock, serialization failure.
const REPEATABLE = new Set(['40P01', '40001']);
// The prepared statement is missing or was made by someone else: nothing was run.
const STATEMENT_OF_ANOTHER_SESSION = new Set(['26000', '42P05']);

type Statement = { text: string; name: string };

// Calls that somebody waits for prefer the connection that ran similar ones before, where all is compiled and planned.
type PoolKind = 'short' | 'long' | 'quiet';

/** The port over a PostgreSQL connection: embedded or a separate server. */
export function postgresDatabase(options: PostgresOptions): PostgresDatabase {
  let pooled = options.pooled ?? false;
  const pools = new Map<PoolKind, pg.Pool>();
  const statements = new Map<string, Statement>();
  const notifiers = createNotifiers((text, values) => poolFor('report_presence').query(text, values));
  const listener = new Listener(options.connection);
  const isDirect = directness(() => poolFor('report_presence'));
  const losses = new EventEmitter();

  function poolFor(fn: FunctionName): pg.Pool {
    const kind = QUIET.has(fn) ? 'quiet' : FUNCTIONS[fn];
    const pool = pools.get(kind) ?? createPool({ ...options, pooled }, kind).on('error', () => losses.emit('loss'));
    pools.set(kind, pool);
    return pool;
  }

  function adaptToPooler(error: unknown): void {
    pooled = true;
    // It let no connection in, so there is none to keep.
    if (isRefusedSetting(error)) pools.clear();
  }

  async function attempt(fn: FunctionName, names: string[], values: unknown[]): Promise<unknown> {
    const client = await connect(poolFor(fn), QUIET.has(fn) ? undefined : options.revive);
    let broken = false;
    try {
      const { text, name } = statementFor(statements, fn, names);
      const query = pooled ? { text, values } : { text, values, name };
      const { rows } = await client.query(query);
      return rows[0]?.result ?? null;
    } catch (error) {
      broken = !(isRefusal(error) && (await hasEnded(client)));
      if (broken) losses.emit('loss');
      throw error;
    } finally {
      client.release(broken);
    }
  }

  return withCleanAnswers<PostgresDatabase>({
    async call(fn: FunctionName, args: Record<string, unknown>, actor: Actor): Promise<unknown> {
      // Sorted, so that one set of arguments is one prepared statement.
      const names = Object.keys(args)
        .filter((name) => args[name] !== undefined)
        .sort();
      const values = [...names.map((name) => parameter(args[name])), JSON.stringify(actor)];
      for (let number = 1; ; number++) {
        try {
          const result = await attempt(fn, names, values);
          notifiers.tell(fn, args, actor);
          return result;
        } catch (error) {
          const collided = REPEATABLE.has(codeOf(error));
          const meetsPooler = tellsOfPooler(error);
          if (number >= ATTEMPTS_MAX || !(collided || meetsPooler)) throw domainErrorFrom(error);
          if (meetsPooler) adaptToPooler(error);
          else await sleep(Math.random() * BACKOFF_MS_MAX * number);
        }
      }
    },
    isPooled: () => pooled,
    hasGrown: notifiers.hasGrown,
    isDirect: async () => !pooled && (await isDirect()),
    onLoss: (tell) => void losses.on('loss', tell),
    listen: (hint, topic = 'events') => (pooled ? { hears: () => false, stop() {} } : listener.listen(hint, topic)),
    async close() {
      await Promise.all([
        listener.close(),
        Promise.race([notifiers.flush(), sleep(FLUSH_MS_MAX, undefined, { ref: false })]),
      ]);
      await Promise.all([...pools.values()].map(endPool));
    },
  });
}

function createPool({ connection, connectionsMax, pooled, limits }: PostgresOptions, kind: PoolKind): pg.Pool {
  const { connect, grace, [kind === 'quiet' ? 'short' : kind]: call } = { ...LIMITS, ...limits };
  const pool = new pg.Pool({
    application_name: 'cairn',
    ...connection,
    max: kind === 'short' ? (connectionsMax ?? 2) : 1,
    connectionTimeoutMillis: connect,
    query_timeout: call + grace,
    // A transaction pooler refuses settings at the start of a connection.
    ...(pooled ? {} : { statement_timeout: call }),
    idleTimeoutMillis: kind === 'long' ? 10_000 : 0,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  });
  // A connection may break at any time. The pool listens to an idle one but not to one in use, and an error between its
  // last answer and its release would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/**
 * Ends a pool and waits until the server has closed its connections: a leaving process is the last if it sees no
 * others.
 */
async function endPool(pool: pg.Pool): Promise<void> {
  let open = pool.totalCount;
  const gone = new Promise<void>((resolve) => {
    if (open === 0) resolve();
    pool.on('remove', () => {
      open -= 1;
      if (open === 0) resolve();
    });
  });
  await pool.end();
  await Promise.race([gone, sleep(CLOSE_MS_MAX, undefined, { ref: false })]);
}

async function connect(pool: pg.Pool, revive: PostgresOptions['revive']): Promise<pg.PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    // Nothing was sent yet, so a retry cannot repeat anything. If all connections are busy the server lives.
    if (revive === undefined || isExhausted(error) || domainErrorFrom(error).code !== 'unavailable') throw error;
    await revive();
    return pool.connect();
  }
}

function statementFor(statements: Map<string, Statement>, fn: FunctionName, names: string[]): Statement {
  const key = `${fn}(${names.join(',')})`;
  const known = statements.get(key);
  if (known !== undefined) return known;
  // Names cannot be parameters, so those in the text are checked.
  if (!Object.hasOwn(FUNCTIONS, fn)) throw new TypeError(`Not a callable function: ${fn}`);
  const odd = names.find((name) => !/^[a-z_]+$/.test(name) || name === 'actor');
  if (odd !== undefined) throw new TypeError(`Not an argument name: ${odd}`);
  const list = [...names, 'actor'].map((name, index) => `${name} => $${index + 1}`).join(', ');
  const statement = {
    text: `select public.${fn}(${list}) as result`,
    // PostgreSQL cuts names at 63 bytes.
    name: `${fn}_${createHash('sha256').update(key).digest('hex').slice(0, 16)}`,
  };
  statements.set(key, statement);
  return statement;
}

/** Converts an argument: `pg` would send an array as a PostgreSQL array; our functions take jsonb. */
function parameter(value: unknown): string | null {
  if (value === null) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Tells whether the server answered with an error and the connection goes on. */
function isRefusal(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code?.length === 5 && error.severity === 'ERROR';
}

/**
 * Waits until a refused transaction has released its locks: the server confirms this only after the error, and until
 * then the next claim, over another connection, would find the task taken.
 */
async function hasEnded(client: pg.PoolClient): Promise<boolean> {
  return client.query('').then(
    () => true,
    () => false,
  );
}

function tellsOfPooler(error: unknown): boolean {
  return isRefusedSetting(error) || STATEMENT_OF_ANOTHER_SESSION.has(codeOf(error));
}

function isRefusedSetting(error: unknown): boolean {
  return /unsupported startup parameter/.test(messageOf(error));
}
