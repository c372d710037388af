import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { DomainError } from '../errors.ts';
import type { Log } from '../log.ts';
import { layout } from './embedded/cluster.ts';
import { connect } from './embedded/postgres-process.ts';
import { ensureServer, hasCluster, stopServer } from './embedded/shared-server.ts';
import { prepareDataDir } from './embedded/system-account.ts';
import { withLock } from './lock.ts';
import { inspectProcess } from './process.ts';

type Options = { dataDir: string; log: Log; replace: boolean };

/**
 * Rebuilds the database of a data directory: `fill` makes it in a separate place, and it gets its name only when
 * complete. Puts the previous one aside and returns its place. Raises already_exists unless it may be replaced.
 */
export async function replaceCluster(
  { dataDir, log, replace }: Options,
  fill: (client: pg.Client) => Promise<void>,
): Promise<{ aside: string | null }> {
  const paths = layout(dataDir);
  await refuseExisting(dataDir, replace);
  await prepareDataDir(dataDir);
  await removeDrafts(dataDir);
  const draft = join(dataDir, `restore-${process.pid}`);
  try {
    await mkdir(draft, { mode: 0o700 });
    const server = await ensureServer({ dataDir: draft, log });
    try {
      const client = await connect(server.connection);
      try {
        await fill(client);
      } finally {
        await client.end();
      }
    } finally {
      await server.release();
    }
    // A process that came meanwhile still has a server of the old files.
    if (replace) await stopServer({ dataDir });
    return await withLock(paths.lock, async () => {
      await refuseExisting(dataDir, replace);
      return swap(dataDir, draft);
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function refuseExisting(dataDir: string, replace: boolean): Promise<void> {
  if (replace || !(await hasCluster(dataDir))) return;
  throw new DomainError('already_exists', `There is a database in ${dataDir}.`, {
    hint: 'Name an empty directory with --data-dir, or put it aside with --replace.',
  });
}

/** Swaps the two. The caller holds the lock, and no server runs. */
async function swap(dataDir: string, draft: string): Promise<{ aside: string | null }> {
  const [old, made] = [layout(dataDir), layout(draft)];
  const aside = join(dataDir, `pg.replaced-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`);
  const had = await rename(old.cluster, aside).then(
    () => true,
    () => false,
  );
  try {
    await rename(made.cluster, old.cluster);
  } catch (error) {
    if (had) await rename(aside, old.cluster);
    throw error;
  }
  // On Windows the server asks for the password it was made with.
  await rename(made.passwordFile, old.passwordFile).catch(() => {});
  return { aside: had ? aside : null };
}

/** Removes the drafts of killed restores. */
async function removeDrafts(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    const pid = /^restore-(\d+)$/.exec(name)?.[1];
    if (pid === undefined || (await inspectProcess(Number(pid))) !== null) continue;
    await stopServer({ dataDir: join(dataDir, name) });
    await rm(join(dataDir, name), { recursive: true, force: true });
  }
}
