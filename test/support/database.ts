import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

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

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ ...inject('server'), database: 'postgres' });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
