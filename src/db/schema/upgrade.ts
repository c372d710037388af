import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type pg from 'pg';
import { codeOf, DomainError, messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { unusable } from '../embedded/system-account.ts';
import { withLock } from '../lock.ts';
import { appliedVersions, CODE, lastVersion, migrate, pendingMigrations } from './migrate.ts';

const NAME = /^upgrade-[0-9]+\.backup$/;
const PART = /^upgrade-[0-9]+\.backup\..*\.part$/;
// Says which schema an upgrade was on its way to that has made its copy and has not ended.
const UNFINISHED = 'upgrade-unfinished';
const KEPT_MAX = 2;
const FULL = ['ENOSPC', 'EDQUOT'];

/**
 * Brings an embedded database to the schema of this program, and names the applied versions. Before tables change,
 * copies everything to `upgrade-<version>.backup` in the data directory, for `cairn db restore`; the last two copies
 * stay. An upgrade that was killed goes on without another copy. Raises unavailable if the copy fails.
 */
export async function upgradeEmbedded(client: pg.Client, dataDir: string, log: Log): Promise<string[]> {
  const pending = await pendingMigrations(client);
  if (pending.length === 0) return [];
  if (pending[0] === CODE) return migrate(client);
  const unfinished = join(dataDir, UNFINISHED);
  // Only one of many processes that start together makes the copy.
  const upgrade = withLock(join(dataDir, 'upgrade-lock'), async () => {
    const versions = await appliedVersions(client);
    const [first = CODE] = await pendingMigrations(client);
    const isCopied = (await readFile(unfinished, 'utf8').catch(() => '')) === lastVersion();
    if (versions.length > 0 && first !== CODE && !isCopied) {
      await keepCopy(client, join(dataDir, `upgrade-${versions.at(-1)}.backup`), log);
      await writeFile(unfinished, lastVersion());
    }
    const applied = await migrate(client);
    await rm(unfinished, { force: true });
    return applied;
  });
  return upgrade.catch((error) => {
    throw error instanceof DomainError ? error : unusable(dataDir, error);
  });
}

async function keepCopy(client: pg.Client, file: string, log: Log): Promise<void> {
  const dataDir = dirname(file);
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
    await removeOldest(dataDir);
  } catch (cause) {
    const isFull = FULL.includes(codeOf(cause));
    throw new DomainError(
      'unavailable',
      `The database was not upgraded, for it could not be copied: ${messageOf(cause)}`,
      {
        hint: `${isFull ? 'Make room on its disk' : `See that ${dataDir} can be written to`} and start again, or upgrade without a copy: \`cairn migrate --no-backup\`.`,
        retryable: false,
        cause,
      },
    );
  }
}

async function removeOldest(dataDir: string): Promise<void> {
  const names = await readdir(dataDir);
  const copies = names.filter((name) => NAME.test(name)).sort();
  const left = [...copies.slice(0, -KEPT_MAX), ...names.filter((name) => PART.test(name))];
  for (const name of left) await rm(join(dataDir, name), { force: true });
}
