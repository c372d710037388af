import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import type { Database } from '../../src/db/database.ts';

export type EmptyDatabase = { connection: pg.ClientConfig; connect(): Promise<pg.Client>; drop(): Promise<void> };

/** A database of one's own, without our schema, on the server of this run. */
export async function createEmptyDatabase(): Promise<EmptyDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const connection = { ...inject('server'), database: name };
  await administer(`create database ${name}`);
  return {
    connection,
    async connect() {
      const client = new pg.Client(connection);
      client.on('error', () => {});
      await client.connect();
      return client;
    },
    drop: () => administer(`drop database ${name} with (force)`),
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

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ ...inject('server'), database: 'postgres' });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
