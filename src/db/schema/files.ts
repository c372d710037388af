import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { VERSION } from '../../version.ts';

// The SQL of this program. Tables are versioned: each file in migrations/ is applied once and never edited. Code is
// repeatable: the files in code/ are applied whole, in the order of their names, whenever they differ from the
// database's. history/ has the migrations of databases older than the first file of migrations/, and ends where that
// folder begins.

export type SqlFile = { version: string; name: string; path: string };

export type SchemaFiles = {
  history: SqlFile[];
  versioned: SqlFile[];
  /** All code as one numbered file for each release, for the Supabase CLI, which knows no other kind. */
  generated: SqlFile[];
};

/** All code as one text. */
export type SchemaCode = { hash: string; sql: string };

const ROOT = fileURLToPath(new URL('supabase', PACKAGE_ROOT));
/** The name of the generated files. */
export const GENERATED = 'code';
// Functions call others that stand below them.
const CODE_HEAD = 'set local check_function_bodies = off;\n';

/** Lists the files below a folder that is laid out like `supabase/`. */
export function listSchemaFiles(root = ROOT): SchemaFiles {
  const migrations = numbered(join(root, 'migrations'));
  return {
    history: numbered(join(root, 'history')),
    versioned: migrations.filter(({ name }) => name !== GENERATED),
    generated: migrations.filter(({ name }) => name === GENERATED),
  };
}

/** Reads the code below such a folder. */
export function readSchemaCode(root = ROOT): SchemaCode {
  const folder = join(root, 'code');
  const parts = filesIn(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  const sql = parts.length === 0 ? '' : [CODE_HEAD, ...parts].join('\n');
  return { hash: hashOf(sql), sql };
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The statement that records applied files in the database, so that a later start knows of them. */
export function recordApplied(entries: readonly { name: string; hash: string }[]): { text: string; values: unknown[] } {
  return {
    text: `
      insert into supabase_migrations.cairn_applied (name, hash, program)
        select a.name, a.hash, $3 from unnest($1::text[], $2::text[]) as a (name, hash)
        on conflict (name) do update set hash = excluded.hash, program = excluded.program, applied_at = now()`,
    values: [entries.map(({ name }) => name), entries.map(({ hash }) => hash), VERSION],
  };
}

function numbered(directory: string): SqlFile[] {
  return filesIn(directory).flatMap((file) => {
    const [, version, name] = /^([0-9]+)_(.*)\.sql$/.exec(file) ?? [];
    return version === undefined || name === undefined ? [] : [{ version, name, path: join(directory, file) }];
  });
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.sql'))
      .sort();
  } catch {
    return [];
  }
}
