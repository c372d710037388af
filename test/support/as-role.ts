import type pg from 'pg';

export type Query = (text: string, values?: unknown[]) => Promise<pg.QueryResult>;

/** Plain SQL as another role, with a user's claims as PostgREST would set them. Each statement is undone. */
export async function asRole<T>(
  sql: pg.Pool,
  { role, user }: { role: string; user: string | null },
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const client = await sql.connect();
  try {
    await client.query('begin');
    await client.query(`set local role ${role}`);
    if (user !== null) {
      await client.query(`select set_config('request.jwt.claims', $1, true)`, [JSON.stringify({ sub: user, role })]);
    }
    await client.query('savepoint statement');
    return await work(async (text, values) => {
      try {
        return await client.query(text, values);
      } finally {
        await client.query('rollback to savepoint statement');
      }
    });
  } finally {
    await client.query('rollback');
    client.release();
  }
}
