import { readFileSync } from 'node:fs';
import pg from 'pg';
import { codeOf, DomainError, domainErrorFrom, type ErrorCode, messageOf } from '../../errors.ts';
import { UPDATE_HINT, VERSION } from '../../version.ts';
import {
  GENERATED,
  hashOf,
  listSchemaFiles,
  readSchemaCode,
  recordApplied,
  type SchemaCode,
  type SchemaFiles,
  type SqlFile,
} from './files.ts';

/** One transaction of a migration. `name` is shown to people. */
type Step = { name: string; isNeeded(state: SchemaState): boolean; run(client: pg.Client): Promise<void> };

/** The versions and files that were applied to a database. */
type SchemaState = {
  versions: string[];
  applied: Record<string, { hash: string; program: string }>;
  oldest_program: string | null;
};

type Options = {
  /** A folder that is laid out like `supabase/`. */
  root?: string;
  /** The last version to apply, without any code; by default everything is applied. */
  upTo?: string | undefined;
};

// Any number that is the same in every process.
const DEADLOCK = '40P01';
const ADVISORY_LOCK = 7_226_913_004;
/** The step that applies the repeatable code. */
export const CODE = 'code';
// Longer than any call of ours holds a table. Whoever waits for a table keeps everyone else from it meanwhile.
const LOCK_WAIT_MS = 10_000;
const RIGHTS_HINT = 'Check that the role may create schemas, roles and functions.';
const FAILURES: Readonly<Record<string, [code: ErrorCode, hint: string]>> = Object.freeze({
  '53100': ['unavailable', 'Make room on the disk of the database, then start again.'],
  '55P03': ['unavailable', 'Another session uses these tables: end it or wait for it, then start again.'],
});
const NOTHING: SchemaState = { versions: [], applied: {}, oldest_program: null };

// The table of the Supabase CLI, so that both ways of migrating know of each other.
const CREATE_TABLE = `
  create schema if not exists supabase_migrations;
  create table if not exists supabase_migrations.schema_migrations (
    version text not null primary key,
    statements text[],
    name text
  );`;

const THERE = `
  select to_regclass('supabase_migrations.schema_migrations') is not null as versions,
    to_regclass('supabase_migrations.cairn_applied') is not null as kept`;
// The Supabase CLI records the generated file of the code as a version. It is none: the code has its hash.
const VERSIONS = `
  select coalesce(json_agg(m.version order by m.version), '[]') as versions
    from supabase_migrations.schema_migrations m
    where m.name is distinct from '${GENERATED}'`;
const STATE = `
  select v.versions,
    (select coalesce(json_object_agg(a.name, json_build_object('hash', a.hash, 'program', a.program)), '{}')
      from supabase_migrations.cairn_applied a) as applied,
    (select a.oldest_program from supabase_migrations.cairn_admission a) as oldest_program
  from (${VERSIONS}) v`;

/**
 * Names what the database still lacks, in order; nothing if a newer program made it and admits this one. Raises
 * unavailable if it does not, and if a versioned file differs from the applied one.
 */
export async function pendingMigrations(client: pg.Client, options: Options = {}): Promise<string[]> {
  return (await plan(client, options)).map(({ name }) => name);
}

/** Applies what is missing and names it. Safe to run twice, and from several processes at once. */
export async function migrate(client: pg.Client, options: Options = {}): Promise<string[]> {
  const steps = await plan(client, options);
  if (steps.length === 0) return [];
  await inTransaction(client, () => client.query(CREATE_TABLE));
  const applied: string[] = [];
  for (const step of steps) {
    const isNew = await inTransaction(client, async () => {
      // Another process may have taken it since we looked.
      if (!step.isNeeded(await readState(client))) return false;
      await step.run(client);
      return true;
    });
    if (isNew) applied.push(step.name);
  }
  return applied;
}

async function plan(client: pg.Client, { root, upTo }: Options): Promise<Step[]> {
  const files = listSchemaFiles(root);
  const state = await readState(client);
  const unknown = unknownVersions(state, files);
  refuseOlderProgram(state, unknown);
  if (unknown.length > 0 || isNewer(state)) return [];
  refuseEdited(state, files);
  const begun = new Set(files.versioned.map(({ version }) => version));
  const isOld = files.history.some(
    ({ version }) => !begun.has(version) && (state.versions.includes(version) || version === upTo),
  );
  const steps = isOld
    ? [...files.history.map((file) => historyStep(file, files)), ...files.versioned.map(versionedStep)]
    : files.versioned.map(versionedStep);
  const wanted =
    upTo === undefined
      ? [...steps, codeStep(files, readSchemaCode(root))]
      : steps.filter(({ version }) => version <= upTo);
  return wanted.filter((step) => step.isNeeded(state));
}

/** Returns the versions in the database that this program does not know. */
function unknownVersions({ versions }: SchemaState, { history, versioned }: SchemaFiles): string[] {
  const known = new Set([...history, ...versioned].map(({ version }) => version));
  return versions.filter((version) => !known.has(version));
}

/** Tells whether a newer program applied its code. */
function isNewer({ applied }: SchemaState): boolean {
  return compareVersions(applied[CODE]?.program ?? VERSION, VERSION) > 0;
}

function refuseOlderProgram(state: SchemaState, unknown: string[]): void {
  const { oldest_program } = state;
  const isAdmitted =
    oldest_program === null ? unknown.length === 0 && !isNewer(state) : compareVersions(VERSION, oldest_program) >= 0;
  if (isAdmitted) return;
  const reasons = [
    ...(unknown.length === 0 ? [] : [`has migration ${unknown.at(-1)}`]),
    ...(oldest_program === null ? [] : [`needs cairn ${oldest_program} or later`]),
  ];
  throw new DomainError(
    'unavailable',
    `The database is newer than this cairn (${VERSION}): it ${reasons.join(', and ')}.`,
    {
      hint: `${UPDATE_HINT} Or use another database.`,
      details: { unknown_versions: unknown },
      retryable: false,
    },
  );
}

function refuseEdited({ applied }: SchemaState, { versioned }: SchemaFiles): void {
  const edited = versioned.find(({ version, path }) => {
    const hash = applied[version]?.hash;
    return hash !== undefined && hash !== hashOf(readFileSync(path, 'utf8'));
  });
  if (edited === undefined) return;
  const { version, name } = edited;
  throw new DomainError('unavailable', `Migration ${version}_${name} was edited after it was applied.`, {
    hint: 'Restore the file, and put the change into a new numbered one; functions, views and policies belong into supabase/code.',
    retryable: false,
  });
}

function versionedStep({ version, name, path }: SqlFile): Step & { version: string } {
  return {
    version,
    name: `${version}_${name}`,
    isNeeded: ({ versions }) => !versions.includes(version),
    async run(client) {
      const sql = readFileSync(path, 'utf8');
      await execute(client, `Migration ${version}_${name}`, sql);
      await listApplied(client, { version, name }, sql);
      // The first file creates the table that keeps their hashes.
      await client.query(recordApplied([{ name: version, hash: hashOf(sql) }]));
    },
  };
}

/** The step through the history to the start of migrations/: versions up to its number then count as applied. */
function historyStep(
  { version, name, path }: SqlFile,
  { history, versioned }: SchemaFiles,
): Step & { version: string } {
  const end = history.at(-1)?.version ?? '';
  const reached = versioned.filter((file) => file.version <= end);
  return {
    version,
    name: `${version}_${name}`,
    isNeeded: ({ versions }) =>
      ![version, ...reached.map((file) => file.version)].some((one) => versions.includes(one)),
    async run(client) {
      const sql = readFileSync(path, 'utf8');
      await execute(client, `Migration ${version}_${name}`, sql);
      if (version !== end) return listApplied(client, { version, name }, sql);
      await client.query('delete from supabase_migrations.schema_migrations');
      const texts = reached.map((file) => ({ ...file, sql: readFileSync(file.path, 'utf8') }));
      for (const file of texts) await listApplied(client, file, file.sql);
      await client.query(recordApplied(texts.map((file) => ({ name: file.version, hash: hashOf(file.sql) }))));
    },
  };
}

function codeStep({ generated }: SchemaFiles, code: SchemaCode): Step & { version: string } {
  return {
    version: CODE,
    name: CODE,
    isNeeded: (state) => code.sql !== '' && state.applied[CODE]?.hash !== code.hash && !isNewer(state),
    async run(client) {
      await execute(client, 'The code of the schema', code.sql);
      // So that the Supabase CLI does not apply them over it.
      for (const file of generated) await listApplied(client, file, '');
      await client.query(recordApplied([{ name: CODE, hash: code.hash }]));
    },
  };
}

async function execute(client: pg.Client, what: string, sql: string): Promise<void> {
  try {
    await client.query(sql);
  } catch (cause) {
    const position = cause instanceof pg.DatabaseError ? Number(cause.position ?? 0) : 0;
    const line = sql.slice(0, position).split('\n').length;
    const [code, hint] = FAILURES[codeOf(cause)] ?? ['internal', RIGHTS_HINT];
    throw new DomainError(code, `${what} failed at line ${line}: ${messageOf(cause)}`, {
      hint: `Nothing of it was applied. ${hint}`,
      retryable: false,
      cause,
    });
  }
}

async function listApplied(client: pg.Client, { version, name }: Omit<SqlFile, 'path'>, sql: string): Promise<void> {
  await client.query(
    `insert into supabase_migrations.schema_migrations (version, statements, name) values ($1, $2, $3)
      on conflict (version) do nothing`,
    [version, [sql], name],
  );
}

/**
 * Runs a transaction under the lock: a session's lock would be lost behind a transaction pooler. Autovacuum may meet it
 * on its way to the same tables: what is taken back then is done again.
 */
async function inTransaction<T>(client: pg.Client, work: () => Promise<T>, tries = 3): Promise<T> {
  await client.query('begin');
  try {
    await client.query('select pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
    await client.query(`set local lock_timeout = ${LOCK_WAIT_MS}`);
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => {});
    if (tries > 1 && error instanceof Error && codeOf(error.cause ?? error) === DEADLOCK) {
      return inTransaction(client, work, tries - 1);
    }
    throw domainErrorFrom(error);
  }
}

async function readState(client: pg.Client): Promise<SchemaState> {
  const { rows: there } = await client.query(THERE);
  const { versions, kept } = there[0];
  if (!versions) return NOTHING;
  const { rows } = await client.query<SchemaState>(kept ? STATE : VERSIONS);
  return { ...NOTHING, ...rows[0] };
}

/** Lists the applied versions, in order; none if nothing ever was. */
export async function appliedVersions(client: pg.Client): Promise<string[]> {
  return (await readState(client)).versions;
}

/** Tells whether a database may have been at these versions: the first of this program's files, or of its history. */
export function knowsVersions(applied: readonly string[]): boolean {
  const { history, versioned } = listSchemaFiles();
  return [history, versioned].some(
    (files) => `${files.slice(0, applied.length).map(({ version }) => version)}` === `${applied}`,
  );
}

/** The last version that this program brings. */
export function lastVersion(): string {
  return listSchemaFiles().versioned.at(-1)?.version ?? '';
}

/** Compares two versions like 0.10.2, number by number; ignores the part after a hyphen. */
function compareVersions(one: string, other: string): number {
  const numbers = (version: string) => version.replace(/-.*/, '').split('.').map(Number);
  const [a, b] = [numbers(one), numbers(other)];
  const at = a.findIndex((number, place) => number !== b[place]);
  return at === -1 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}
