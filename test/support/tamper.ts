import type pg from 'pg';

/** Changes data as only the owner of the database's files or its superuser can: no trigger fires. */
export async function tamper(sql: pg.Pool, statement: string, values: unknown[]): Promise<void> {
  const client = await sql.connect();
  try {
    await client.query('begin');
    await client.query('set local session_replication_role = replica');
    const { rowCount } = await client.query(statement, values);
    if (rowCount === 0) throw new Error(`Nothing to tamper with: ${statement}`);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}
