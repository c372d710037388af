import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { DomainError, domainErrorFrom } from '../errors.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import { UPDATE_HINT } from '../version.ts';

type Migration = { version: string; name: string; file: string };

type Options = {
  directory?: string;
  /** The last version to apply; by default the last one there is. */
  upTo?: string | undefined;
};

const DIRECTORY = fileURLToPath(new URL('supabase/migrations', PACKAGE_ROOT));
// Any number, as long as it is the same in every process.
const ADVISORY_LOCK = 7_226_913_004;

// The table of the Supabase CLI, so that both ways of migrating know of each other.
const CREATE_TABLE = `
  create schema if not exists supabase_migrations;
  create table if not exists supabase_migrations.schema_migrations (
    version text not null primary key,
    statements text[],
    name text
  );`;

/** The migrations that the database still misses, in order. Refuses a database that is ahead of the program. */
export async function pendingMigrations(client: pg.Client, options: Options = {}): Promise<Migration[]> {
  const migrations = await listMigrations(options.directory ?? DIRECTORY);
  const applied = await appliedVersions(client);
  const known = new Set(migrations.map(({ version }) => version));
  const unknown = applied.filter((version) => !known.has(version));
  if (unknown.length > 0) {
    throw new DomainError('unavailable', `The database is newer than this cairn: it has migration ${unknown.at(-1)}.`, {
      hint: `${UPDATE_HINT} Or use another database.`,
      details: { unknown_versions: unknown },
      retryable: false,
    });
  }
  const { upTo } = options;
  return migrations.filter(({ version }) => !applied.includes(version) && (upTo === undefined || version <= upTo));
}

/** Applies what is missing and returns it. Safe to run twice, and from several processes at once. */
export async function migrate(client: pg.Client, options: Options = {}): Promise<string[]> {
  const pending = await pendingMigrations(client, options);
  if (pending.length === 0) return [];
  await inTransaction(client, () => client.query(CREATE_TABLE));
  const applied: string[] = [];
  for (const migration of pending) {
    const isNew = await inTransaction(client, () => apply(client, migration));
    if (isNew) applied.push(`${migration.version}_${migration.name}`);
  }
  return applied;
}

async function apply(client: pg.Client, { version, name, file }: Migration): Promise<boolean> {
  // Another process may have applied it since we looked.
  const { rowCount } = await client.query('select 1 from supabase_migrations.schema_migrations where version = $1', [
    version,
  ]);
  if (rowCount === 1) return false;
  const sql = await readFile(file, 'utf8');
  try {
    await client.query(sql);
  } catch (cause) {
    const line = sql.slice(0, Number((cause as pg.DatabaseError).position ?? 0)).split('\n').length;
    throw new DomainError(
      'internal',
      `Migration ${version}_${name} failed at line ${line}: ${(cause as Error).message}`,
      {
        hint: 'Nothing of it was applied. Check that the role may create schemas, roles and functions.',
        cause,
      },
    );
  }
  await client.query(
    'insert into supabase_migrations.schema_migrations (version, statements, name) values ($1, $2, $3)',
    [version, [sql], name],
  );
  return true;
}

/** Each transaction takes the lock for itself: a lock of the session would be lost behind a transaction pooler. */
async function inTransaction<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    await client.query('select pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw domainErrorFrom(error);
  }
}

/** The versions that were applied, in order; none where nothing ever was. */
export async function appliedVersions(client: pg.Client): Promise<string[]> {
  try {
    const { rows } = await client.query('select version from supabase_migrations.schema_migrations order by version');
    return rows.map((row) => row.version);
  } catch (error) {
    // No such schema or table: nothing was ever applied.
    if (['3F000', '42P01'].includes((error as { code?: string }).code ?? '')) return [];
    throw domainErrorFrom(error);
  }
}

/** The versions that this program brings, in order. */
export async function knownVersions(): Promise<string[]> {
  return (await listMigrations(DIRECTORY)).map(({ version }) => version);
}

async function listMigrations(directory: string): Promise<Migration[]> {
  const files = (await readdir(directory)).sort();
  return files.flatMap((file) => {
    const [, version, name] = /^([0-9]+)_(.*)\.sql$/.exec(file) ?? [];
    return version === undefined || name === undefined ? [] : [{ version, name, file: join(directory, file) }];
  });
}
