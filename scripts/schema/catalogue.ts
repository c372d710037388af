import type pg from 'pg';

/** An object of the schema; `name` is its own, for a grant that of the object it is about. */
export type Described = { title: string; name: string; text: string };

const SCHEMAS = `('app', 'public')`;

// Each section is one query for names and texts in their order. Names, not oids, decide the order.
const SECTIONS: [title: string, query: string][] = [
  [
    'Types',
    `select format('%I.%I', n.nspname, c.relname), format(E'create type %s as (\\n  %s\\n);', c.oid::regclass, (
       select string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), E',\\n  ' order by a.attnum)
       from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped))
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ${SCHEMAS} and c.relkind = 'c' order by n.nspname, c.relname collate "C"`,
  ],
  [
    'Tables',
    // PostgreSQL 18 lists NOT NULL among the constraints; here it stays with its column.
    `select format('%I.%I', n.nspname, c.relname), format(E'create table %s.%I (\\n  %s\\n)%s%s;\\n%s', n.nspname, c.relname, concat_ws(E',\\n  ', (
         select string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
             case when a.attcollation <> t.typcollation then 'collate ' || a.attcollation::regcollation end,
             'default ' || pg_get_expr(d.adbin, d.adrelid), case when a.attnotnull then 'not null' end), E',\\n  ' order by a.attnum)
         from pg_attribute a join pg_type t on t.oid = a.atttypid left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), (
         select string_agg(format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), E',\\n  ' order by k.contype desc, k.conname collate "C")
         from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'u', 'f', 'c'))),
       ' partition by ' || pg_get_partkeydef(c.oid), ' with (' || array_to_string(c.reloptions, ', ') || ')', concat_ws(E'\\n', (
         select string_agg(pg_get_indexdef(i.indexrelid) || ';', E'\\n' order by i.indexrelid::regclass::text collate "C")
         from pg_index i where i.indrelid = c.oid and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.conrelid = c.oid)), (
         select string_agg(pg_get_triggerdef(t.oid) || ';', E'\\n' order by t.tgname collate "C")
         from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal),
         case when c.relrowsecurity then format('alter table %s.%I enable row level security;', n.nspname, c.relname) end,
         case when c.relforcerowsecurity then format('alter table %s.%I force row level security;', n.nspname, c.relname) end, (
         select string_agg(concat_ws(' ', format('create policy %I on %s.%I as %s for %s to %s', p.policyname, n.nspname, c.relname, lower(p.permissive), lower(p.cmd), (select string_agg(r, ', ' order by r) from unnest(p.roles) r)),
             'using (' || p.qual || ')', 'with check (' || p.with_check || ')') || ';', E'\\n' order by p.policyname collate "C")
         from pg_policies p where p.schemaname = n.nspname and p.tablename = c.relname)))
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ${SCHEMAS} and c.relkind in ('r', 'p') and not c.relispartition order by n.nspname, c.relname collate "C"`,
  ],
  [
    'Rows that are part of the schema',
    `select format('app.%s', t), format('-- app.%s: %s', t, r) from (
       select 'event_types' as t, (x.*)::text as r from app.event_types x union all select 'event_fields', (x.*)::text from app.event_fields x
       union all select 'task_moves', (x.*)::text from app.task_moves x union all select 'read_models', (x.*)::text from app.read_models x
       union all select 'record_tables', (x.*)::text from app.record_tables x) rows
     order by t collate "C", r collate "C"`,
  ],
  [
    'Views',
    `select format('%I.%I', n.nspname, c.relname), format(E'create view %s.%I with (%s) as\\n%s', n.nspname, c.relname, array_to_string(c.reloptions, ', '), pg_get_viewdef(c.oid, true))
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ${SCHEMAS} and c.relkind = 'v' order by n.nspname, c.relname collate "C"`,
  ],
  [
    'Functions',
    `select format('%I.%I', n.nspname, p.proname), case p.prokind when 'a' then format('CREATE AGGREGATE %s (sfunc = %s, stype = %s);', p.oid::regprocedure, g.aggtransfn::regproc, g.aggtranstype::regtype)
       else trim(E'\\n' from pg_get_functiondef(p.oid)) || ';' end
       || format(E'\\n-- owner %s', case when p.proowner = current_user::regrole then 'whoever migrates' else p.proowner::regrole::text end)
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace left join pg_aggregate g on g.aggfnoid = p.oid
     where n.nspname in ${SCHEMAS} order by n.nspname, p.proname collate "C", p.oid::regprocedure::text collate "C"`,
  ],
  [
    'Privileges',
    `select object, format('grant %s on %s to %s;', string_agg(privilege, ', ' order by privilege collate "C"), object, role) from (
       select lower(a.privilege_type) as privilege, 'schema ' || n.nspname as object, n.nspowner as owner, a.grantee
         from pg_namespace n, aclexplode(n.nspacl) a where n.nspname = 'app'
       union all
       select lower(a.privilege_type), format('%s.%I', n.nspname, c.relname), c.relowner, a.grantee
         from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a
         where n.nspname in ${SCHEMAS} and c.relkind in ('r', 'p', 'v') and not c.relispartition
       union all
       select format('%s (%I)', lower(a.privilege_type), t.attname), format('%s.%I', n.nspname, c.relname), c.relowner, a.grantee
         from pg_attribute t join pg_class c on c.oid = t.attrelid join pg_namespace n on n.oid = c.relnamespace, aclexplode(t.attacl) a
         where n.nspname in ${SCHEMAS}
       union all
       select lower(a.privilege_type), 'function ' || p.oid::regprocedure, p.proowner, a.grantee
         from pg_proc p join pg_namespace n on n.oid = p.pronamespace, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
         where n.nspname in ${SCHEMAS}) g
     cross join lateral (select case g.grantee when 0 then 'public' else g.grantee::regrole::text end as role) r
     where g.grantee <> g.owner group by object, role order by object collate "C", role collate "C"`,
  ],
];

/** Until 15 PostgreSQL names the table of every column, since 16 not where the query has only one. */
function unqualified(text: string): string {
  const [, alias] = /^create view(?!.* JOIN ).*\n {3}FROM \S+ (\w+);$/s.exec(text) ?? [];
  if (alias === undefined) return text;
  const own = new RegExp(`\\b${alias}\\.`, 'g');
  return text.replace(/^( SELECT | {4}(?! )).*$/gm, (line) => line.replace(own, ''));
}

/** The server's own rules of case have another name before 17, where ICU brings them. */
function withNewestCollation(text: string): string {
  return text.replace('COLLATE "und-x-icu"', 'COLLATE pg_c_utf8');
}

/** The schema of a migrated database as PostgreSQL describes it, the same on every supported major version. */
export async function describeSchema(client: pg.Client): Promise<Described[]> {
  await client.query(`set search_path = ''; set timezone = 'UTC'`);
  const described: Described[] = [];
  for (const [title, query] of SECTIONS) {
    const { rows } = await client.query<[string, string]>({ text: query, rowMode: 'array' });
    for (const [name, text] of rows) {
      described.push({ title, name, text: withNewestCollation(unqualified(text.trimEnd())) });
    }
  }
  return described;
}
