// Writes supabase/schema.sql: the schema as PostgreSQL itself describes it after all migrations, for reviewers to read
// the diff of; and supabase/types.ts, its types. `--check` writes nothing and fails when a file is stale. It is read from the catalogue because the
// bundled binaries have no pg_dump, and is the same on every supported major version.
//
//   npm run schema               dump
//   npm run schema -- --check    compare
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, exit, stderr, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { findBinaries } from '../src/db/embedded/binaries.ts';
import { ensureServer, stopServer } from '../src/db/embedded.ts';
import { migrate } from '../src/db/migrate.ts';
import { createLog } from '../src/log.ts';
import { PACKAGE_ROOT } from '../src/package-root.ts';
import { generateTypes } from './generate-types.ts';

const FILES: Record<string, (client: pg.Client) => Promise<string>> = {
  'supabase/schema.sql': dumpSchema,
  'supabase/types.ts': generateTypes,
};

const SCHEMAS = `('app', 'public')`;

// Each section is one query for texts in their order. Names, not oids, decide the order.
const SECTIONS: [title: string, query: string][] = [
  [
    'Types',
    `select format(E'create type %s as (\\n  %s\\n);', c.oid::regclass, (
       select string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), E',\\n  ' order by a.attnum)
       from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped))
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ${SCHEMAS} and c.relkind = 'c' order by n.nspname, c.relname collate "C"`,
  ],
  [
    'Tables',
    // PostgreSQL 18 lists NOT NULL among the constraints; here it stays with its column.
    `select format(E'create table %s.%I (\\n  %s\\n)%s;\\n%s', n.nspname, c.relname, concat_ws(E',\\n  ', (
         select string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
             case when a.attcollation <> t.typcollation then 'collate ' || a.attcollation::regcollation end,
             'default ' || pg_get_expr(d.adbin, d.adrelid), case when a.attnotnull then 'not null' end), E',\\n  ' order by a.attnum)
         from pg_attribute a join pg_type t on t.oid = a.atttypid left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), (
         select string_agg(format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), E',\\n  ' order by k.contype desc, k.conname collate "C")
         from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'u', 'f', 'c'))),
       ' with (' || array_to_string(c.reloptions, ', ') || ')', concat_ws(E'\\n', (
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
     where n.nspname in ${SCHEMAS} and c.relkind = 'r' order by n.nspname, c.relname collate "C"`,
  ],
  [
    'Rows that are part of the schema',
    `select format('-- app.%s: %s', t, r) from (
       select 'event_types' as t, (x.*)::text as r from app.event_types x union all select 'event_fields', (x.*)::text from app.event_fields x
       union all select 'task_moves', (x.*)::text from app.task_moves x union all select 'read_models', (x.*)::text from app.read_models x) rows
     order by t collate "C", r collate "C"`,
  ],
  [
    'Views',
    `select format(E'create view %s.%I with (%s) as\\n%s', n.nspname, c.relname, array_to_string(c.reloptions, ', '), pg_get_viewdef(c.oid, true))
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ${SCHEMAS} and c.relkind = 'v' order by n.nspname, c.relname collate "C"`,
  ],
  [
    'Functions',
    `select case p.prokind when 'a' then format('CREATE AGGREGATE %s (sfunc = %s, stype = %s);', p.oid::regprocedure, g.aggtransfn::regproc, g.aggtranstype::regtype)
       else trim(E'\\n' from pg_get_functiondef(p.oid)) || ';' end
       || format(E'\\n-- owner %s', p.proowner::regrole)
     from pg_proc p join pg_namespace n on n.oid = p.pronamespace left join pg_aggregate g on g.aggfnoid = p.oid
     where n.nspname in ${SCHEMAS} order by n.nspname, p.proname collate "C", p.oid::regprocedure::text collate "C"`,
  ],
  [
    'Privileges',
    `select format('grant %s on %s to %s;', string_agg(privilege, ', ' order by privilege collate "C"), object, role) from (
       select lower(a.privilege_type) as privilege, 'schema ' || n.nspname as object, n.nspowner as owner, a.grantee
         from pg_namespace n, aclexplode(n.nspacl) a where n.nspname = 'app'
       union all
       select lower(a.privilege_type), format('%s.%I', n.nspname, c.relname), c.relowner, a.grantee
         from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a
         where n.nspname in ${SCHEMAS} and c.relkind in ('r', 'v')
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

/** The schema of a migrated database as one text. */
export async function dumpSchema(client: pg.Client): Promise<string> {
  await client.query(`set search_path = ''; set timezone = 'UTC'`);
  const parts = ['-- Made by `npm run schema` from the migrated database. Do not edit: change a migration.\n'];
  for (const [title, query] of SECTIONS) {
    const { rows } = await client.query<[string]>({ text: query, rowMode: 'array' });
    const separator = rows.some(([text]) => text.includes('\n')) ? '\n\n' : '\n';
    parts.push(
      `-- ${title}\n\n${rows.map(([text]) => withNewestCollation(unqualified(text.trimEnd()))).join(separator)}\n`,
    );
  }
  return parts.join('\n');
}

async function describeFresh(): Promise<Record<string, string>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'cairn-schema-'));
  const binaries = await findBinaries();
  const server = await ensureServer({ dataDir, log: createLog('silent'), binaries });
  try {
    const client = new pg.Client(server.connection);
    await client.connect();
    try {
      await migrate(client);
      const texts: Record<string, string> = {};
      for (const [path, describe] of Object.entries(FILES)) texts[path] = await describe(client);
      return texts;
    } finally {
      await client.end();
    }
  } finally {
    await server.release();
    await stopServer({ dataDir, binaries });
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function main(check: boolean): Promise<void> {
  for (const [path, text] of Object.entries(await describeFresh())) {
    const file = fileURLToPath(new URL(path, PACKAGE_ROOT));
    if (check) compare(path, text, await readFile(file, 'utf8').catch(() => ''));
    else await writeFile(file, text);
  }
  if (!check) stdout.write(`Wrote ${Object.keys(FILES).join(' and ')}.\n`);
}

function compare(path: string, text: string, stored: string): void {
  if (stored === text) return;
  const [before, after] = [stored.split('\n'), text.split('\n')];
  const line = after.findIndex((each, at) => each !== before[at]);
  stderr.write(`${path} is stale from line ${line + 1}. Run npm run schema.\n- ${before[line]}\n+ ${after[line]}\n`);
  exit(1);
}

if (argv[1] === fileURLToPath(import.meta.url)) await main(argv.includes('--check'));
