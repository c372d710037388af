import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { domainErrorFrom } from '../errors.ts';
import type { Actor, Database } from './database.ts';
import { FUNCTIONS, type FunctionName } from './functions.ts';

export type PostgresOptions = {
  connection: pg.ClientConfig;
  connectionsMax?: number;
  /** False behind a transaction pooler, which may run each call on another connection. */
  prepare?: boolean;
  /** Called once when no connection can be made, before the one further attempt. */
  revive?: () => Promise<void>;
};

const CONNECT_MS_MAX = 10_000;
const CALL_MS_MAX = Object.freeze({ short: 30_000, long: 3_600_000 });
// A client that gives up before the server does leaves the outcome open, so the server's limit comes first.
const ANSWER_GRACE_MS = 5_000;
const ATTEMPTS_MAX = 3;
const BACKOFF_MS_MAX = 40;
// The transaction was rolled back: deadlock, serialization failure.
const REPEATABLE = new Set(['40P01', '40001']);

type Statement = { text: string; name: string };

/** The port over a PostgreSQL connection: embedded or a server of one's own. */
export function postgresDatabase(options: PostgresOptions): Database {
  const pools = new Map<'short' | 'long', pg.Pool>();
  const statements = new Map<string, Statement>();

  function poolFor(fn: FunctionName): pg.Pool {
    const kind = FUNCTIONS[fn];
    const pool = pools.get(kind) ?? createPool(options, kind);
    pools.set(kind, pool);
    return pool;
  }

  async function attempt(fn: FunctionName, names: string[], values: unknown[]): Promise<unknown> {
    const client = await connect(poolFor(fn), options.revive);
    let broken = false;
    try {
      const { text, name } = statementFor(statements, fn, names);
      const query = options.prepare === false ? { text, values } : { text, values, name };
      const { rows } = await client.query(query);
      return rows[0]?.result ?? null;
    } catch (error) {
      broken = !isRefusal(error);
      throw error;
    } finally {
      client.release(broken);
    }
  }

  return {
    async call<T>(fn: FunctionName, args: Record<string, unknown>, actor: Actor): Promise<T> {
      // Sorted, so that one set of arguments is one prepared statement.
      const names = Object.keys(args)
        .filter((name) => args[name] !== undefined)
        .sort();
      const values = [...names.map((name) => parameter(args[name])), JSON.stringify(actor)];
      for (let number = 1; ; number++) {
        try {
          return (await attempt(fn, names, values)) as T;
        } catch (error) {
          if (number >= ATTEMPTS_MAX || !REPEATABLE.has((error as { code?: string }).code ?? '')) {
            throw domainErrorFrom(error);
          }
          await sleep(Math.random() * BACKOFF_MS_MAX * number);
        }
      }
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.end()));
    },
  };
}

function createPool({ connection, connectionsMax, prepare }: PostgresOptions, kind: 'short' | 'long'): pg.Pool {
  const limit = CALL_MS_MAX[kind];
  const pool = new pg.Pool({
    application_name: 'cairn',
    ...connection,
    max: kind === 'short' ? (connectionsMax ?? 2) : 1,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    query_timeout: limit + ANSWER_GRACE_MS,
    // A transaction pooler refuses settings at the start of a connection.
    ...(prepare === false ? {} : { statement_timeout: limit }),
    idleTimeoutMillis: kind === 'short' ? 0 : 10_000,
    keepAlive: true,
  });
  // A connection may break at any time. An idle one the pool drops, and nobody else needs to know; for one in use the pool
  // does not listen, and what arrives between its last answer and its release would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

async function connect(pool: pg.Pool, revive: PostgresOptions['revive']): Promise<pg.PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    // Nothing was sent yet, so trying again cannot do anything twice.
    if (revive === undefined || domainErrorFrom(error).code !== 'unavailable') throw error;
    await revive();
    return pool.connect();
  }
}

function statementFor(statements: Map<string, Statement>, fn: FunctionName, names: string[]): Statement {
  const key = `${fn}(${names.join(',')})`;
  const known = statements.get(key);
  if (known !== undefined) return known;
  // What goes into the text is checked, because names cannot be parameters.
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

/** `pg` would send an array as a PostgreSQL array; our functions take jsonb. */
function parameter(value: unknown): string | null {
  if (value === null) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Whether the server answered with an error and the connection goes on. */
function isRefusal(error: unknown): boolean {
  const { code, severity } = error as { code?: string; severity?: string };
  return code?.length === 5 && severity === 'ERROR';
}
