// The floor: the bare SDK over stdio, and the cheapest statement of its kind on the server that cairn runs.
import pg from 'pg';
import { ECHO, start } from './rpc.ts';

const TABLE_ROWS = 100_000;
const TEXT = 'Write the docs of the pelican.';

export type Floor = {
  pid: number;
  runs: Record<'echo' | 'read' | 'insert', (at: number) => Promise<unknown>>;
  close(): Promise<void>;
};

export async function openFloor(connection: pg.ClientConfig): Promise<Floor> {
  const admin = await connect({ ...connection, database: 'postgres' });
  await admin.query('create database bench_floor');
  await admin.end();
  const sql = await connect({ ...connection, database: 'bench_floor' });
  await sql.query('create table floor (id bigint primary key, body text not null)');
  await sql.query(`insert into floor select n, 'A row of the floor.' from generate_series(1, $1::int) n`, [TABLE_ROWS]);
  await sql.query('analyze floor');
  const echo = await start(ECHO);
  let next = TABLE_ROWS;

  return {
    pid: echo.pid,
    runs: {
      echo: () => echo.call('echo', { text: TEXT }),
      read: (at) =>
        sql.query({
          name: 'read',
          text: 'select body from floor where id = $1',
          values: [((at * 7919) % TABLE_ROWS) + 1],
        }),
      insert: () => sql.query({ name: 'insert', text: 'insert into floor values ($1, $2)', values: [++next, TEXT] }),
    },
    async close() {
      await echo.stop();
      await sql.end();
    },
  };
}

export async function connect(connection: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client({ application_name: 'bench', ...connection });
  client.on('error', () => {});
  await client.connect();
  return client;
}
