import type pg from 'pg';

const TABLES = `
  select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
   where n.nspname in ('app', 'public') and c.relkind = 'r' and c.relname not in ('memberships', 'test_clock') order by 1`;

let tables: string[] | null = null;

async function tablesOf(sql: pg.Pool): Promise<string[]> {
  tables ??= (await sql.query<{ name: string }>(TABLES)).rows.map(({ name }) => name);
  return tables;
}

/** Every row of a workspace, by table. */
export async function rowsOf(sql: pg.Pool, tenant: string | undefined): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const name of await tablesOf(sql)) {
    const { rows } = await sql.query(`select x::text as row from ${name} x where tenant_id = $1 order by 1`, [tenant]);
    found[name] = rows.map(({ row }) => row);
  }
  return found;
}

/** The same in short: a hash a table, in one round trip. */
export async function hashTables(sql: pg.Pool, tenant: string | undefined): Promise<object[]> {
  const parts = (await tablesOf(sql)).map(
    (name) =>
      `select '${name}' as name, count(*), md5(string_agg(x::text, ' ' order by x::text)) from ${name} x where tenant_id = $1`,
  );
  const { rows } = await sql.query({
    name: 'hash_tables',
    text: `${parts.join(' union all ')} order by name`,
    values: [tenant],
  });
  return rows;
}
