import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { hashOf } from '../../src/db/schema/files.ts';
import { migrate, pendingMigrations } from '../../src/db/schema/migrate.ts';
import { createEmptyDatabase, type EmptyDatabase } from '../support/database.ts';
import { schemaOf, storedSchema } from '../support/schema.ts';

const RECORD = `
  create table supabase_migrations.cairn_applied (
    name text primary key, hash text, program text, applied_at timestamptz default now());
  create table supabase_migrations.cairn_admission (oldest_program text);
  insert into supabase_migrations.cairn_admission values ('0.1.0');`;
const THINGS = `${RECORD}\ncreate table things (id int primary key);`;
const COLOURS = 'create table colours (id int);\nselect 1;';
const GREETING = `create or replace function greeting() returns text language sql as $$ select 'hello' $$;`;

let database: EmptyDatabase;
let root: string;

beforeEach(async () => {
  database = await createEmptyDatabase();
  root = await mkdtemp(join(tmpdir(), 'cairn-migrations-'));
  for (const folder of ['migrations', 'history', 'code']) await mkdir(join(root, folder));
  await put('migrations/20260101000000_things.sql', THINGS);
  await put('migrations/20260102000000_colours.sql', COLOURS);
  await put('migrations/notes.md', 'Not a migration.');
  await put('code/10_greeting.sql', GREETING);
});

afterEach(async () => {
  await database.drop();
  await rm(root, { recursive: true });
});

const put = (path: string, text: string) => writeFile(join(root, path), text);

async function withClient<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await database.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const migrateHere = () => withClient((client) => migrate(client, { root }));

async function answerOf(query: string): Promise<unknown> {
  const { rows } = await withClient((client) => client.query({ text: query, rowMode: 'array' }));
  return rows[0]?.[0];
}

/** Waits until another session waits for an advisory lock. */
async function waitForLock(client: pg.Client): Promise<void> {
  await vi.waitFor(async () => {
    const { rowCount } = await client.query(`select from pg_locks where locktype = 'advisory' and not granted`);
    expect(rowCount).toBeGreaterThan(0);
  });
}

const ALL = ['20260101000000_things', '20260102000000_colours', 'code'];

describe('migrating', () => {
  test('applies the files in order, then the code, and records the files as the Supabase CLI does', async () => {
    expect(await migrateHere()).toEqual(ALL);

    const { rows } = await withClient((client) =>
      client.query('select version, name, statements from supabase_migrations.schema_migrations order by version'),
    );
    expect(rows).toEqual([
      { version: '20260101000000', name: 'things', statements: [THINGS] },
      { version: '20260102000000', name: 'colours', statements: [COLOURS] },
    ]);
    expect(await answerOf('select greeting()')).toBe('hello');
  });

  test('a second time does nothing', async () => {
    await migrateHere();

    expect(await migrateHere()).toEqual([]);
  });

  test('from many processes at once applies each file and the code once', async () => {
    const results = await Promise.all(Array.from({ length: 8 }, migrateHere));

    expect(results.flat().sort()).toEqual(ALL);
  });

  test('leaves nothing of a file that fails, and says where it failed', async () => {
    await put('migrations/20260103000000_broken.sql', 'create table half (id int);\n\nselect wrong;');

    await expect(migrateHere()).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringMatching(/20260103000000_broken failed at line 3: .*"wrong"/),
    });
    expect(await answerOf(`select to_regclass('half')`)).toBeNull();
    expect(await answerOf(`select to_regclass('things')::text`)).toBe('things');
  });

  test('tells what is pending without applying it', async () => {
    expect(await withClient((client) => pendingMigrations(client, { root }))).toEqual(ALL);
    expect(await answerOf(`select to_regclass('things')`)).toBeNull();
  });

  test('refuses a versioned file that was edited after it was applied', async () => {
    await migrateHere();
    await appendFile(join(root, 'migrations/20260102000000_colours.sql'), '\nalter table colours add name text;');

    await expect(migrateHere()).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      message: expect.stringContaining('20260102000000_colours was edited'),
      hint: expect.stringContaining('a new numbered one'),
    });
  });
});

describe('code', () => {
  test('that was edited is applied at the next start, once by one of many', async () => {
    await migrateHere();
    await put('code/10_greeting.sql', GREETING.replace('hello', 'good day'));

    const results = await Promise.all(Array.from({ length: 8 }, migrateHere));

    expect(results.flat()).toEqual(['code']);
    expect(await answerOf('select greeting()')).toBe('good day');
  });

  test('of an older program that waited meanwhile is not applied over a newer one', async () => {
    await migrateHere();
    await put('code/10_greeting.sql', GREETING.replace('hello', 'older'));
    const newer = await database.connect();
    await newer.query('begin; select pg_advisory_xact_lock(7226913004)');

    const older = migrateHere();
    await waitForLock(newer);
    await newer.query(`update supabase_migrations.cairn_applied set program = '99.0.0' where name = 'code'; commit`);
    await newer.end();

    expect(await older).toEqual([]);
    expect(await answerOf('select greeting()')).toBe('hello');
  });

  test('that the Supabase CLI applied is replaced at the next start, and no versioned file goes unlooked at', async () => {
    await put('migrations/20260102000001_code.sql', GREETING);
    await migrateHere();
    const versions = 'select array_agg(version order by version) from supabase_migrations.schema_migrations';
    expect(await answerOf(versions)).toContain('20260102000001');
    await put('code/10_greeting.sql', GREETING.replace('hello', 'good day'));

    expect(await migrateHere()).toEqual(['code']);

    expect(await answerOf('select greeting()')).toBe('good day');
    await appendFile(join(root, 'migrations/20260102000000_colours.sql'), '\nselect 2;');
    await expect(migrateHere()).rejects.toMatchObject({ message: expect.stringContaining('was edited') });
  });

  test('is applied after each new versioned file, and whole or not at all', async () => {
    await migrateHere();
    await put('migrations/20260103000000_names.sql', 'create table names (name text);');
    await put('code/20_names.sql', 'create or replace view all_names as select name from names;\nselect wrong;');

    await expect(migrateHere()).rejects.toMatchObject({ message: expect.stringContaining('"wrong"') });

    expect(await answerOf(`select to_regclass('names')::text`)).toBe('names');
    expect(await answerOf(`select to_regclass('all_names')`)).toBeNull();
  });
});

describe('a database that a newer program made', () => {
  const newer = (oldest: string) =>
    withClient((client) =>
      client.query(`
        insert into supabase_migrations.schema_migrations (version, name) values ('20270101000000', 'later');
        update supabase_migrations.cairn_applied set program = '99.0.0' where name = 'code';
        update supabase_migrations.cairn_admission set oldest_program = '${oldest}';`),
    );

  test('is used as it is by an older one that it admits, which applies no code over it', async () => {
    await migrateHere();
    await newer('0.1.0');
    await put('code/10_greeting.sql', GREETING.replace('hello', 'older'));

    expect(await migrateHere()).toEqual([]);
    expect(await answerOf('select greeting()')).toBe('hello');
  });

  test('refuses one that has newer code alone, by what it needs', async () => {
    await migrateHere();
    await newer('98.0.0');
    await withClient((client) =>
      client.query(`delete from supabase_migrations.schema_migrations where version = '20270101000000'`),
    );

    await expect(migrateHere()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/: it needs cairn 98\.0\.0 or later\.$/),
    });
  });

  test('refuses one that it does not admit, where nothing in it is newer', async () => {
    await migrateHere();
    await withClient((client) =>
      client.query(`update supabase_migrations.cairn_admission set oldest_program = '98.0.0'`),
    );

    await expect(migrateHere()).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('refuses one that it does not admit, and names the oldest', async () => {
    await migrateHere();
    await newer('98.0.0');

    await expect(migrateHere()).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      message: expect.stringContaining('needs cairn 98.0.0 or later'),
      details: { unknown_versions: ['20270101000000'] },
    });
  });
});

describe('a database from before code was repeatable', () => {
  beforeEach(async () => {
    await rm(join(root, 'migrations/20260102000000_colours.sql'));
    await put('history/20250101000000_things.sql', 'create table things (id int primary key);');
    await put('history/20250102000000_colours.sql', 'create table colours (id int);');
    await put('history/20260101000000_begin.sql', RECORD);
    await withClient((client) => migrate(client, { root, upTo: '20250101000000' }));
    expect(await answerOf(`select to_regclass('colours')`)).toBeNull();
  });

  test('goes through the rest of its history to where the files begin', async () => {
    expect(await migrateHere()).toEqual(['20250102000000_colours', '20260101000000_begin', 'code']);
    expect(await answerOf('select array_agg(version) from supabase_migrations.schema_migrations')).toEqual([
      '20260101000000',
    ]);
    expect(await answerOf(`select hash from supabase_migrations.cairn_applied where name ~ '^2026'`)).toBe(
      hashOf(THINGS),
    );
    expect(await migrateHere()).toEqual([]);
  });

  test('does so once, whoever begins', async () => {
    const results = await Promise.all(Array.from({ length: 8 }, migrateHere));

    expect(results.flat().sort()).toEqual(['20250102000000_colours', '20260101000000_begin', 'code']);
  });
});

test('the numbered files alone, applied as the Supabase CLI does, make the same schema', async () => {
  const directory = new URL('../../supabase/migrations/', import.meta.url);
  const client = await database.connect();
  await client.query(`create schema supabase_migrations;
    create table supabase_migrations.schema_migrations (version text primary key, statements text[], name text)`);
  for (const file of (await readdir(directory)).sort()) {
    const [, version, name] = /^([0-9]+)_(.*)\.sql$/.exec(file) ?? [];
    await client.query(`begin;\n${await readFile(new URL(file, directory), 'utf8')};\ncommit;`);
    await client.query('insert into supabase_migrations.schema_migrations values ($1, $2, $3)', [version, [], name]);
  }

  const [schema, pending] = [await schemaOf(client), await pendingMigrations(client)];
  await client.end();

  expect(schema).toEqual(await storedSchema());
  expect(pending).toEqual([]);
});

test('every versioned file is as it was when databases applied it', async () => {
  const list = await readFile(new URL('../fixtures/frozen-migrations.sha256', import.meta.url), 'utf8');
  const supabase = new URL('../../supabase/', import.meta.url);
  const folders = await Promise.all(
    ['history', 'migrations'].map(async (folder) =>
      (await readdir(new URL(folder, supabase))).map((name) => `${folder}/${name}`),
    ),
  );
  const files = folders.flat().filter((file) => file.endsWith('.sql') && !file.endsWith('_code.sql'));

  const found = await Promise.all(
    files.sort().map(async (file) => `${hashOf(await readFile(new URL(file, supabase), 'utf8'))}  ${file}`),
  );

  expect(found, 'CONTRIBUTING.md, "Change a table": each file has its hash here.').toEqual(list.trimEnd().split('\n'));
});
