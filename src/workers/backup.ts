import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isEmbedded } from '../brief-files.ts';
import { checkBackup } from '../db/backup.ts';
import { openBackup, writeBackup } from '../db/backup-file.ts';
import { directoryFailure, isFileFailure } from '../directory-failure.ts';
import { DomainError } from '../errors.ts';
import type { JobKind, Machine } from './job.ts';

const KEPT_MAX = 7;
const NAME = /^daily-[\dTZ-]+\.backup$/;
const UNFINISHED = /^daily-[\dTZ-]+\.backup\..*\.part$/;

/** Backs up the embedded database to `backups` in its data directory, and reads each backup to its end. Keeps seven. */
export const backup: JobKind = {
  kind: 'backup',
  scope: 'installation',
  everySeconds: 86_400,
  maxSeconds: 43_200,
  needs: 'machine',
  isFor: isEmbedded,
  async run(machine, { signal }) {
    const directory = join(machine.config.dataDir, 'backups');
    try {
      await backUp(machine, directory, signal);
    } catch (error) {
      throw explained(error, directory);
    }
  },
};

async function backUp({ connect, log }: Machine, directory: string, signal: AbortSignal): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, `daily-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}Z.backup`);
  const client = await connect();
  try {
    const { rows, size_bytes } = await writeBackup(client, file, signal);
    await checkBackup(openBackup(file, signal));
    log.info({ file, rows, size_bytes }, 'backed up the database');
  } catch (error) {
    // One that cannot be read must not push out one that can.
    await rm(file, { force: true });
    throw error;
  } finally {
    await client.end();
  }
  await removeOldest(directory, basename(file));
}

/** Nobody named the file, so that what is told is about its directory. */
function explained(error: unknown, directory: string): unknown {
  const cause = error instanceof DomainError ? error.cause : error;
  return isFileFailure(cause) ? directoryFailure(cause, directory) : error;
}

async function removeOldest(directory: string, latest: string): Promise<void> {
  const names = await readdir(directory);
  const backups = names.filter((name) => NAME.test(name)).sort();
  // Whatever seems to be later was made while the clock was ahead.
  const byAge = [...backups.filter((name) => name > latest), ...backups.filter((name) => name <= latest)];
  const left = [...byAge.slice(0, -KEPT_MAX), ...names.filter((name) => UNFINISHED.test(name))];
  for (const name of left) await rm(join(directory, name), { force: true });
}
