import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { DomainError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { withLock } from '../lock.ts';
import { appliedVersions, CODE, migrate, pendingMigrations } from './migrate.ts';

const NAME = /^upgrade-[0-9]+\.backup$/;
const KEPT_MAX = 2;

/**
 * Brings an embedded database to the schema of this program, and names the applied versions. Before tables change,
 * copies everything to `upgrade-<version>.backup` in the data directory, for `cairn db restore`; the last two copies
 * stay. Raises unavailable if that fails.
 */
export async function upgradeEmbedded(client: pg.Client, dataDir: string, log: Log): Promise<string[]> {
  const pending = await pendingMigrations(client);
  if (pending.length === 0) return [];
  if (pending[0] === CODE) return migrate(client);
  // Only one of many processes that start together makes the copy.
  return withLock(join(dataDir, 'upgrade-lock'), async () => {
    const versions = await appliedVersions(client);
    const [first = CODE] = await pendingMigrations(client);
    if (versions.length > 0 && first !== CODE)
      await keepCopy(client, join(dataDir, `upgrade-${versions.at(-1)}.backup`), log);
    return migrate(client);
  });
}

async function keepCopy(client: pg.Client, file: string, log: Log): Promise<void> {
  // Few starts need these.
  const [{ Readable }, { createGzip }, { pipeAtomically }, { backup }] = await Promise.all([
    import('node:stream'),
    import('node:zlib'),
    import('../../atomic-write.ts'),
    import('../backup.ts'),
  ]);
  try {
    await pipeAtomically([Readable.from(backup(client, { tables: 0, rows: 0, sha256: '' })), createGzip()], file);
    log.info({ file }, 'the database was copied before its upgrade');
    await removeOldest(join(file, '..'));
  } catch (cause) {
    throw new DomainError(
      'unavailable',
      `The database was not upgraded, for it could not be copied: ${(cause as Error).message}`,
      {
        hint: 'Make room on its disk and start again, or upgrade without a copy: `cairn migrate --no-backup`.',
        retryable: false,
        cause,
      },
    );
  }
}

async function removeOldest(dataDir: string): Promise<void> {
  const copies = (await readdir(dataDir)).filter((name) => NAME.test(name)).sort();
  for (const name of copies.slice(0, -KEPT_MAX)) await rm(join(dataDir, name), { force: true });
}
