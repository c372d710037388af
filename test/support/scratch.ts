import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Actor, Database } from '../../src/db/database.ts';
import { postgresDatabase } from '../../src/db/postgres.ts';
import { ask } from './ask.ts';
import type { Caller } from './commands.ts';
import { createMigratedDatabase } from './database.ts';

export type Scratch = {
  db: Database;
  connection: pg.ClientConfig;
  /** The superuser. */
  sql: pg.Client;
  connect(): Promise<pg.Client>;
  signIn(name: string): Promise<Caller & { actor: Required<Pick<Actor, 'user_id' | 'tenant_id'>> }>;
  drop(): Promise<void>;
};

/** A migrated database of one's own, for tests that change the schema or break what is stored. */
export async function createScratch(): Promise<Scratch> {
  const { connect, connection, drop } = await createMigratedDatabase();
  const sql = await connect();
  const db = postgresDatabase({ connection });
  return {
    db,
    connection,
    sql,
    connect,
    async signIn(name) {
      const identity = { issuer: 'test', subject: `${name}-${randomUUID()}`, name };
      const actor = await ask<{ user_id: string; tenant_id: string }>({ db, actor: { user_id: '' } }, 'sign_in', {
        identity,
      });
      return { db, actor: { user_id: actor.user_id, tenant_id: actor.tenant_id, agent: name, client: 'test' } };
    },
    async drop() {
      await db.close();
      await sql.end();
      await drop();
    },
  };
}

/**
 * Replaces a piece of a function's text, as a careless change would. Fails when the piece is not there, so that a test
 * which breaks the code on purpose cannot pass because the code moved on.
 */
export async function mutate(
  sql: pg.ClientBase,
  name: string,
  change: [from: string | RegExp, to: string],
): Promise<void> {
  const { rows } = await sql.query('select pg_get_functiondef($1::regproc) as definition', [name]);
  const { definition } = rows[0] as { definition: string };
  const mutated = definition.replace(...change);
  if (mutated === definition) throw new Error(`${name} has no ${change[0]}`);
  await sql.query(mutated);
}
