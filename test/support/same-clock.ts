import type pg from 'pg';

/** Makes it as late in one workspace as it is in another, where the test's clock was moved. */
export async function setSameClock(
  sql: pg.Pool,
  { from, to }: { from: string | undefined; to: string | undefined },
): Promise<void> {
  await sql.query(
    `insert into app.test_clock (tenant_id, ahead) select $1, c.ahead from app.test_clock c where c.tenant_id = $2
     on conflict (tenant_id) do update set ahead = excluded.ahead`,
    [to, from],
  );
}
