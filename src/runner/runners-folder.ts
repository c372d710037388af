import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from '../db/lock.ts';
import { codeOf, DomainError } from '../errors.ts';
import { removeDeadFolder } from './holder/socket-folder.ts';
import { whatBecameOf } from './process-start.ts';
import { readState, type State } from './state.ts';

const PART = /^(.+\.json)\.[0-9a-f-]{36}\.part$/;
const SOCKET_FOLDER = /^cairn-[A-Za-z0-9]{6}$/;

/** The folder of what runners of this data directory keep. */
export function runnersFolder(dataDir: string): string {
  return join(dataDir, 'runners');
}

/** Runs `work` while no other runner of this data directory begins: what it counts and finds free stays so. */
export async function whileNoneBegins<T>(dataDir: string, work: () => Promise<T>): Promise<T> {
  try {
    return await withLock(join(dataDir, 'runners-lock'), work);
  } catch (cause) {
    if (cause instanceof DomainError) throw cause;
    throw new DomainError('unavailable', `No runner can be noted in ${dataDir} (${codeOf(cause) || String(cause)}).`, {
      hint: 'Make room there, or name another data directory with CAIRN_DATA_DIR.',
      cause,
    });
  }
}

/**
 * Counts what the agents of living runners of this data directory may do at once. With the path of a state that begins,
 * those of killed runners too, which work on for a while, but for its own, which it takes over.
 */
export async function countDriven(dataDir: string, own?: string): Promise<number> {
  const folder = runnersFolder(dataDir);
  const counts = (await namesIn(folder))
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith('.json') && path !== own)
    .map(async (path) => {
      const state = await readState(path);
      if (state === undefined) return 0;
      const left = own !== undefined && state.holder !== undefined ? [state.holder] : [];
      const became = await Promise.all([state.runner, ...left].map(whatBecameOf));
      return became.includes('alive') ? (state.at_once ?? 1) : 0;
    });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

/**
 * Removes what killed runners left beside their state: files that were not finished, and folders of sockets on which
 * nobody listens. No runner may begin meanwhile: of one that begins it is not known yet that it is alive.
 */
export async function removeRemains(dataDir: string): Promise<void> {
  const folder = runnersFolder(dataDir);
  const removals = (await namesIn(folder)).map(async (name) => {
    const path = join(folder, name);
    const state = PART.exec(name)?.[1];
    if (state !== undefined && (await livingIn(join(folder, state))) === undefined) await rm(path, { force: true });
    if (SOCKET_FOLDER.test(name)) await removeDeadFolder(path);
  });
  await Promise.all(removals);
}

async function livingIn(path: string): Promise<State | undefined> {
  const state = await readState(path);
  return state !== undefined && (await whatBecameOf(state.runner)) === 'alive' ? state : undefined;
}

function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
