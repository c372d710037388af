import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { prepareSchema } from './kept.ts';

export type EmptyDatabase = { connection: pg.ClientConfig; connect(): Promise<pg.Client>; drop(): Promise<void> };

const TEMPLATE = 'test_template';
const TEMPLATE_LOCK = 7_226_913_009;

/** A database of one's own, without our schema, on the server of this run. */
export function createEmptyDatabase(): Promise<EmptyDatabase> {
  return createDatabase('template1');
}

/** The same, migrated: a copy of one that is migrated once a run. */
export async function createMigratedDatabase(): Promise<EmptyDatabase> {
  await administer(makeTemplate);
  const database = await createDatabase(TEMPLATE);
  // A copy has what is in the template, not the rights to it.
  await administer((client) =>
    client.query(`revoke temporary on database ${database.connection.database} from public`),
  );
  return database;
}

async function createDatabase(template: string): Promise<EmptyDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const connection = { ...inject('server'), database: name };
  await administer((client) => client.query(`create database ${name} template ${template}`));
  return {
    connection,
    async connect() {
      const client = new pg.Client(connection);
      client.on('error', () => {});
      await client.connect();
      return client;
    },
    drop: () => administer((client) => client.query(`drop database ${name} with (force)`)),
  };
}

/** The port over one connection, so that what a call costs is what its backend does. */
export function overClient(sql: pg.Client): Database {
  return {
    async call<T>(fn: string, args: Record<string, unknown>, actor: object): Promise<T> {
      const given = Object.entries({ ...args, actor }).filter(([, value]) => value !== undefined);
      const list = given.map(([name], at) => `${name} => $${at + 1}`).join(', ');
      const values = given.map(([, value]) => (typeof value === 'object' ? JSON.stringify(value) : value));
      const { rows } = await sql.query(`select public.${fn}(${list}) as result`, values);
      return rows[0].result;
    },
    close: async () => {},
  };
}

async function makeTemplate(client: pg.Client): Promise<void> {
  await client.query('select pg_advisory_lock($1)', [TEMPLATE_LOCK]);
  const { rowCount } = await client.query('select from pg_database where datname = $1', [TEMPLATE]);
  if (rowCount === 0) {
    const { connect, connection } = await createEmptyDatabase();
    const migrating = await connect();
    await prepareSchema(migrating);
    await migrating.end();
    // Nobody may be connected to a database that is copied.
    await client.query(`alter database ${connection.database} with allow_connections false`);
    await client.query(`alter database ${connection.database} rename to ${TEMPLATE}`);
  }
}

async function administer(run: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ ...inject('server'), database: 'postgres' });
  await client.connect();
  try {
    await run(client);
  } finally {
    await client.end();
  }
}
