// The types of what PostgREST shows, in the shape of `supabase gen types`, read from the catalogue: the CLI is too
// large to install for it. Nothing is written through the tables, so that there is no Insert and no Update.
import type pg from 'pg';

type Field = { name: string; type: string; required: boolean };
type Relation = { name: string; fields: Field[] };

const TABLES = `
  select c.relname as name, json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, null), 'required', a.attnotnull)
    order by a.attname collate "C") as fields
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition group by c.relname order by c.relname collate "C"`;

// A column is never null where every one of its name that the view reads never is.
const VIEWS = `
  select c.relname as name, json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, null), 'required', coalesce((
      select bool_and(b.attnotnull) from information_schema.view_column_usage u
        join pg_attribute b on b.attrelid = format('%I.%I', u.table_schema, u.table_name)::regclass and b.attname = u.column_name
      where u.view_schema = 'public' and u.view_name = c.relname and u.column_name = a.attname), false))
    order by a.attname collate "C") as fields
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = 'public'::regnamespace and c.relkind = 'v' group by c.relname order by c.relname collate "C"`;

const FUNCTIONS = `
  select p.proname as name, format_type(p.prorettype, null) as returns, json_agg(json_build_object(
      'name', p.proargnames[i], 'type', format_type(p.proargtypes[i - 1], null), 'required', i <= p.pronargs - p.pronargdefaults)
    order by p.proargnames[i] collate "C") as fields
  from pg_proc p, generate_series(1, p.pronargs) i
  where p.pronamespace = 'public'::regnamespace and p.prosecdef and p.prosrc ~ 'app\\.(authenticate|caller_is_server)'
  group by p.oid, p.proname, p.prorettype order by p.proname collate "C"`;

const SCALARS: Record<string, string> = {
  bigint: 'number',
  numeric: 'number',
  boolean: 'boolean',
  bytea: 'string',
  integer: 'number',
  jsonb: 'Json',
  text: 'string',
  'timestamp with time zone': 'string',
  uuid: 'string',
};

function typed(type: string): string {
  const scalar = SCALARS[type.replace(/\[\]$/, '')] ?? 'unknown';
  return type.endsWith('[]') ? `${scalar}[]` : scalar;
}

function column({ name, type, required }: Field): string {
  const is = typed(type);
  if (!required) return `${name}: ${is} | null;`;
  return `${name}: ${is === 'Json' ? 'NonNullable<Json>' : is};`;
}

function argument({ name, type, required }: Field): string {
  return `${name}${required ? '' : '?'}: ${typed(type)}`;
}

const indented = (lines: string[], depth: number) => lines.map((line) => `${' '.repeat(depth)}${line}\n`).join('');

function relation({ name, fields }: Relation): string {
  return `      ${name}: {
        Row: {
${indented(fields.map(column), 10)}        };
        Insert: never;
        Update: never;
        Relationships: [];
      };
`;
}

/** The types of a migrated database as one text. */
export async function generateTypes(client: pg.Client): Promise<string> {
  const { rows: tables } = await client.query<Relation>(TABLES);
  const { rows: views } = await client.query<Relation>(VIEWS);
  const { rows: functions } = await client.query<Relation & { returns: string }>(FUNCTIONS);
  const calls = functions.map(
    ({ name, returns, fields }) =>
      `      ${name}: { Args: { ${fields.map(argument).join('; ')} }; Returns: ${typed(returns)} };\n`,
  );
  return `// Made by \`npm run schema\` from the migrated database.
// Do not edit: change supabase/code or add a migration, then npm run schema.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

/** The part of the schema that PostgREST shows, in the shape of \`supabase gen types\`. */
export type Schema = {
  public: {
    Tables: {
${tables.map(relation).join('')}    };
    Views: {
${views.map(relation).join('')}    };
    Functions: {
${calls.join('')}    };
  };
};
`;
}
