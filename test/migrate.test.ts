import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrate, pendingMigrations } from '../src/db/migrate.ts';
import { createEmptyDatabase, type EmptyDatabase } from './support/database.ts';

let database: EmptyDatabase;
let directory: string;

beforeEach(async () => {
  database = await createEmptyDatabase();
  directory = await mkdtemp(join(tmpdir(), 'cairn-migrations-'));
  await writeFile(join(directory, '20260101000000_things.sql'), 'create table things (id int primary key);');
  await writeFile(join(directory, '20260102000000_colours.sql'), 'create table colours (id int);\nselect 1;');
  await writeFile(join(directory, 'notes.md'), 'Not a migration.');
});

afterEach(async () => {
  await database.drop();
  await rm(directory, { recursive: true });
});

async function withClient<T>(work: (client: Awaited<ReturnType<EmptyDatabase['connect']>>) => Promise<T>): Promise<T> {
  const client = await database.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

describe('migrating', () => {
  test('applies the files in order and records them as the Supabase CLI does', async () => {
    const applied = await withClient((client) => migrate(client, { directory }));

    expect(applied).toEqual(['20260101000000_things', '20260102000000_colours']);
    const { rows } = await withClient((client) =>
      client.query('select version, name, statements from supabase_migrations.schema_migrations order by version'),
    );
    expect(rows).toEqual([
      { version: '20260101000000', name: 'things', statements: ['create table things (id int primary key);'] },
      { version: '20260102000000', name: 'colours', statements: ['create table colours (id int);\nselect 1;'] },
    ]);
  });

  test('a second time does nothing', async () => {
    await withClient((client) => migrate(client, { directory }));

    const again = await withClient((client) => migrate(client, { directory }));

    expect(again).toEqual([]);
  });

  test('from many processes at once applies each file once', async () => {
    const results = await Promise.all(
      Array.from({ length: 8 }, () => withClient((client) => migrate(client, { directory }))),
    );

    expect(results.flat().sort()).toEqual(['20260101000000_things', '20260102000000_colours']);
  });

  test('leaves nothing of a file that fails, and says where it failed', async () => {
    await writeFile(join(directory, '20260103000000_broken.sql'), 'create table half (id int);\n\nselect wrong;');

    const attempt = withClient((client) => migrate(client, { directory }));

    await expect(attempt).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringMatching(/20260103000000_broken failed at line 3: .*"wrong"/),
    });
    const { rows } = await withClient((client) =>
      client.query(`select to_regclass('half') as half, to_regclass('things') as things`),
    );
    expect(rows).toEqual([{ half: null, things: 'things' }]);
  });

  test('refuses a database that is newer than the program', async () => {
    await withClient((client) => migrate(client, { directory }));
    await rm(join(directory, '20260102000000_colours.sql'));

    const attempt = withClient((client) => migrate(client, { directory }));

    await expect(attempt).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      details: { unknown_versions: ['20260102000000'] },
    });
  });

  test('tells what is pending without applying it', async () => {
    const pending = await withClient((client) => pendingMigrations(client, { directory }));

    expect(pending.map(({ version }) => version)).toEqual(['20260101000000', '20260102000000']);
    const { rows } = await withClient((client) => client.query(`select to_regclass('things') as things`));
    expect(rows).toEqual([{ things: null }]);
  });
});

test('every migration is as it was when databases applied it, and frozen since it was merged', async () => {
  const list = await readFile(new URL('fixtures/frozen-migrations.sha256', import.meta.url), 'utf8');
  const directory = new URL('../supabase/migrations/', import.meta.url);
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();

  const found = await Promise.all(
    names.map(async (name) => {
      const source = await readFile(new URL(name, directory));
      return `${createHash('sha256').update(source).digest('hex')}  ${name}`;
    }),
  );

  // How a new one gets its line: CONTRIBUTING.md, Conventions.
  expect(found).toEqual(list.trimEnd().split('\n'));
});
