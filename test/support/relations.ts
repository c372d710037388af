import type pg from 'pg';

export type Relation = {
  name: string;
  /** 'tenant_id', where there is such a column. */
  tenant: string | null;
  /** Its first column. */
  first: string;
  /** The columns that a signed-in user may select. */
  columns: string[];
};

/** Every table (`r`) and view (`v`) of the schemas, from the catalogue: a new one is not forgotten. */
export async function relations(sql: pg.Pool, kinds: string[], schemas: string[]): Promise<Relation[]> {
  const { rows } = await sql.query<Relation>(
    `select c.oid::regclass::text as name, (select 'tenant_id' from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id') as tenant,
         (select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum limit 1) as first,
         array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
           and has_column_privilege('authenticated', c.oid, a.attnum, 'select') order by a.attnum) as columns
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = any ($1) and n.nspname = any ($2) and c.relname <> 'test_clock' order by 1`,
    [kinds, schemas],
  );
  return rows;
}
