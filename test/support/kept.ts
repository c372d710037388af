import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type pg from 'pg';
import { restore } from '../../src/db/backup.ts';
import { migrate } from '../../src/db/schema/migrate.ts';

// Backups of databases that earlier commits made, named after them. scripts/keep-database.ts makes one.
const DIRECTORY = new URL('../fixtures/databases/', import.meta.url);
const RESTORE_LOCK = 7_226_913_008;

/** The commits of which a database is kept. */
export async function keptCommits(): Promise<string[]> {
  return (await readdir(DIRECTORY)).map((file) => file.replace('.backup', '')).sort();
}

export function keptBackup(commit: string): Readable {
  return createReadStream(new URL(`${commit}.backup`, DIRECTORY)).pipe(createGunzip());
}

/** The schema of today in an empty database; with CAIRN_TEST_KEPT=COMMIT what that commit left behind, upgraded. */
export async function prepareSchema(client: pg.Client): Promise<void> {
  const commit = process.env.CAIRN_TEST_KEPT;
  if (commit === undefined) {
    await migrate(client);
    return;
  }
  await client.query('select pg_advisory_lock($1)', [RESTORE_LOCK]);
  try {
    const { rows } = await client.query(`select to_regclass('public.events') as events`);
    if (rows[0].events === null) await restore(client, keptBackup(commit));
  } finally {
    await client.query('select pg_advisory_unlock($1)', [RESTORE_LOCK]);
  }
}
