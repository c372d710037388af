import type pg from 'pg';

type Column = { name: string; type: string; varies: boolean };
type Table = { name: string; columns: Column[] };

// Tables of records are left out, with their partitions. Tables that the migrations fill are the same for all workspaces; of served URLs there are at most ten.
const CONSTANTS = [
  ...['event_fields', 'event_types', 'read_models', 'record_tables', 'served_urls', 'task_moves'],
  ...['model_prices', 'system_config', 'system_config_history'],
];

// A column of a unique index varies; where one of them is a uuid, that is enough. Who is alone in a table varies by
// workspace.
const TABLES = `
  with keys as (
    select i.indrelid, i.indexrelid, a.attname, a.atttypid = 'uuid'::regtype as is_id, a.attname = 'tenant_id' as is_tenant, i.indnkeyatts as width
      from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum > 0
       and (a.attnum = any (i.indkey) or pg_get_expr(i.indexprs, i.indrelid) ~ ('\\m' || a.attname || '\\M')) where i.indisunique),
  varying as (
    select k.indrelid, k.attname from keys k where case when k.is_tenant then k.width = 1
      else k.is_id or not exists (select from keys o where o.indexrelid = k.indexrelid and o.is_id and not o.is_tenant) end)
  select format('%I.%I', n.nspname, c.relname) as name, jsonb_agg(jsonb_build_object('name', a.attname,
      'type', format_type(a.atttypid, null), 'varies', v.attname is not null) order by a.attnum) as columns
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    left join (select distinct * from varying) v on v.indrelid = c.oid and v.attname = a.attname
   where n.nspname in ('public', 'app') and c.relkind = 'r' and not c.relispartition and c.relname <> all ($1) group by 1`;

// Turns off the parts that only cost time: triggers, checks, foreign keys and the server's own log.
const HASTE = `
  set session_replication_role = replica;
  set work_mem = '256MB';
  set maintenance_work_mem = '256MB';
  do $$ declare v_found record; begin
    for v_found in select c.conrelid::regclass as name, c.conname from pg_constraint c join pg_class r on r.oid = c.conrelid
        where c.contype in ('c', 'f') and not r.relispartition and r.relnamespace::regnamespace::text in ('public', 'app') loop
      execute format('alter table %s drop constraint %I', v_found.name, v_found.conname);
    end loop;
    for v_found in select oid::regclass as name from pg_class where relkind = 'r' and not relispartition and relnamespace::regnamespace::text in ('public', 'app') loop
      execute format('alter table %s set unlogged', v_found.name);
    end loop;
  end $$`;

/**
 * Copies the rows of a workspace until every table has so many; only what is unique differs. Answers with the tables.
 */
export async function crowd(sql: pg.Client, tenant: string, rows: number): Promise<string[]> {
  const { rows: tables } = await sql.query<Table>(TABLES, [CONSTANTS]);
  await sql.query(HASTE);
  for (const table of tables) await multiply(sql, table, { tenant, rows });
  await sql.query('reset all; analyze');
  return tables.map(({ name }) => name);
}

async function multiply(sql: pg.Client, { name, columns }: Table, { tenant, rows }: { tenant: string; rows: number }) {
  const list = columns.map((column) => column.name).join(', ');
  const owned = columns.some((column) => column.name === 'tenant_id');
  // Rows that belong to no workspace yet have the nil tenant.
  const source = owned ? `where tenant_id in ('${tenant}', app.get_nil_id())` : '';
  // Made anew at the end, which is faster than row by row.
  await sql.query('update pg_index set indisready = false where indrelid = $1::regclass', [name]);
  await sql.query(
    `insert into ${name} (${list}) select ${columns.map(copyOf).join(', ')} from generate_series(1, $1::int) n
       join (select *, row_number() over () - 1 as copied, count(*) over () as copies from ${name} ${source}) x on x.copied = n % x.copies`,
    [rows],
  );
  await sql.query(`reindex table ${name}`);
}

function copyOf({ name, type, varies }: Column): string {
  if (!varies) return `x.${name}`;
  if (type === 'uuid') return 'gen_random_uuid()';
  if (type.startsWith('timestamp')) return `x.${name} + n * interval '1 second'`;
  return type === 'text' ? `x.${name} || '-' || n` : '1000 + n';
}
