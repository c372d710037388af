import type pg from 'pg';

/**
 * Tells whether connections are the server's own, checked once: a pooler in between shows another process id than the
 * server.
 */
export function directness(pool: () => pg.Pool): () => Promise<boolean> {
  let found: Promise<boolean> | undefined;

  async function find(): Promise<boolean> {
    const client = (await pool().connect()) as pg.PoolClient & { processID: number | null };
    try {
      const { rows } = await client.query('select pg_backend_pid() as pid');
      return rows[0]?.pid === client.processID;
    } finally {
      client.release();
    }
  }

  return () => {
    found ??= find().catch(() => {
      found = undefined;
      return false;
    });
    return found;
  };
}
