import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Stats } from 'node:fs';
import { type FileHandle, lstat, open, readlink, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, isMissing, unusableFile } from './bounded-read.ts';
import { DomainError } from './errors.ts';

// The one way to write a file. Until it is whole it is beside its place, under a name that nobody can foresee, created exclusively:
// what a stranger put there beforehand, such as a link to somewhere else, is never written through.

const LINKS_MAX = 40;
const NAME_CHARACTERS_MAX = 60;
const RENAMES_MAX = 10;
const RENAME_WAIT_MS = 30;
// A directory that takes no new file, a file mounted by itself, one that another program holds open on Windows.
const IN_PLACE = new Set(['EACCES', 'EPERM', 'EROFS', 'EBUSY']);

type Content = string | Uint8Array | ((file: FileHandle) => Promise<void>);

type Options = {
  /** Of a file that is new; one that is there keeps its mode and owner. */
  mode?: number;
  /** Replaces a link instead of the file it leads to: for directories that someone else may write to. */
  replacesLink?: boolean;
  /** Whom the file belongs to, where that is not who writes it. */
  owner?: { uid: number; gid: number } | null;
};

/**
 * Writes a file whole or not at all. A link stays a link, and the file that it leads to is written: whoever may not follow one
 * compares `realPathOf` first. Devices and pipes are written into. Raises what the system raises.
 */
export async function writeAtomically(path: string, content: Content, options: Options = {}): Promise<void> {
  const { mode = 0o600, replacesLink = false, owner } = options;
  const found = await statIfThere(path, replacesLink);
  if (found !== null && !found.isFile() && !found.isSymbolicLink()) return fill(await open(path, 'w'), content);
  const target = replacesLink ? path : await realPathOf(path);
  const name = `${basename(target).slice(0, NAME_CHARACTERS_MAX)}.${randomUUID()}.part`;
  const part = join(dirname(target), name);
  const file = found?.isFile() ? found : null;
  try {
    const handle = await open(part, 'wx', mode);
    await fill(handle, content, async () => {
      if (file !== null) await handle.chmod(file.mode & 0o777);
      if (owner) await handle.chown(owner.uid, owner.gid);
      else if (file !== null) await handle.chown(file.uid, file.gid).catch(() => {});
    });
    await renameOver(part, target);
  } catch (error) {
    await rm(part, { force: true }).catch(() => {});
    if (file === null || typeof content !== 'string' || !IN_PLACE.has(codeOf(error))) throw error;
    await writeFile(target, content);
  }
}

/** Writes what flows through streams. Raises invalid_input for a file that cannot be written; a signal leaves nothing behind. */
export async function pipeAtomically([source, ...through]: [Readable, ...Transform[]], out: string): Promise<void> {
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  process.once('SIGINT', leave).once('SIGTERM', leave);
  try {
    await writeAtomically(out, async (file) => {
      const { signal } = leaving;
      const flush = (await file.stat()).isFile();
      const written = pipeline([source, ...through, file.createWriteStream({ flush })], { signal });
      // From Node.js 22 on an aborted pipeline ends after its source does, which may wait for a lock of the database.
      await Promise.race([written, once(signal, 'abort').then(() => signal.throwIfAborted())]);
    });
  } catch (error) {
    throw error instanceof DomainError ? error : unusableFile(out, error);
  } finally {
    process.off('SIGINT', leave).off('SIGTERM', leave);
  }
}

/** Where a file is or would be once every link on the way to it is followed, its directories and what is missing included. */
export async function realPathOf(path: string, links = LINKS_MAX): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isMissing(error) || links === 0) throw error;
  }
  const above = dirname(path);
  if (above === path) return path;
  const parent = await realPathOf(above, links);
  const leadsTo = await readlink(join(parent, basename(path))).catch(() => null);
  return leadsTo === null ? join(parent, basename(path)) : realPathOf(resolve(parent, leadsTo), links - 1);
}

async function fill(file: FileHandle, content: Content, before?: () => Promise<void>): Promise<void> {
  const streams = typeof content === 'function';
  try {
    await before?.();
    if (streams) await content(file);
    else await file.writeFile(content);
    // A stream that is told to flush does so, and closes the file.
    if (!streams && before !== undefined) await file.sync();
  } catch (error) {
    // A stream that was stopped may hold the file for longer than anybody wants to wait.
    const closed = file.close().catch(() => {});
    if (!streams) await closed;
    throw error;
  }
  await file.close();
}

/** On Windows a virus scanner or an editor may hold either file for a moment. */
async function renameOver(part: string, target: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await rename(part, target);
    } catch (error) {
      if (process.platform !== 'win32' || tries === RENAMES_MAX || !IN_PLACE.has(codeOf(error))) throw error;
      await sleep(RENAME_WAIT_MS);
    }
  }
}

async function statIfThere(path: string, replacesLink: boolean): Promise<Stats | null> {
  try {
    return await (replacesLink ? lstat : stat)(path);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
