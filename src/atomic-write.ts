import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Readable, Stream, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMissing, unusableFile } from './bounded-read.ts';
import { codeOf, DomainError, domainErrorFrom } from './errors.ts';
import { onStopSignal } from './stop-signals.ts';
import { escaped } from './text.ts';

// The one way to write a file. An unfinished file lies beside its place under an unpredictable name, created
// exclusively: it never follows anything that a stranger put there, such as a link elsewhere.

const LINKS_MAX = 40;
const NAME_CHARACTERS_MAX = 60;
const RENAMES_MAX = 10;
const RENAME_WAIT_MS = 30;
// A directory that takes no new file, a file mounted by itself, a file that another program holds open on Windows.
const IN_PLACE = new Set(['EACCES', 'EPERM', 'EROFS', 'EBUSY']);
const IN_PLACE_FLAGS = constants.O_WRONLY | constants.O_TRUNC | (constants.O_NOFOLLOW ?? 0);
// The exit code that a shell reports after Ctrl-C.
const INTERRUPTED = 130;

type Place = 'source' | 'file';

type Content = string | Uint8Array | ((file: FileHandle) => Promise<void>);

type Options = {
  /**
   * The mode of a new file. An existing file keeps its own and its owner, unless this is set and links are replaced.
   */
  mode?: number;
  /**
   * Replaces a link, device or pipe, not the file behind it, and writes nothing in place: for directories that someone
   * else may write to.
   */
  replacesLink?: boolean;
  /** The path has been resolved: a link that has appeared in its place since is replaced. */
  isReal?: boolean;
  /** The account that owns the file, where another one writes it. */
  owner?: { uid: number; gid: number } | null;
};

/**
 * Writes a file whole or not at all. A link stays a link and its target is written: a caller that may not follow links
 * compares `realPathOf` first. Devices and pipes are written into, unless links are replaced. Raises the system's
 * errors.
 */
export async function writeAtomically(path: string, content: Content, options: Options = {}): Promise<void> {
  const { mode = 0o600, replacesLink = false, isReal = replacesLink, owner } = options;
  const found = await statIfThere(path, isReal);
  const isSpecial = found !== null && !found.isFile() && !found.isSymbolicLink();
  if (isSpecial && !replacesLink) return fill(await open(path, 'w'), content);
  const target = isReal ? path : await realPathOf(path);
  const name = `${basename(target).slice(0, NAME_CHARACTERS_MAX)}.${randomUUID()}.part`;
  const part = join(dirname(target), name);
  const file = found?.isFile() ? found : null;
  const mayBeInPlace = file !== null && !replacesLink && typeof content === 'string';
  const refused = (error: unknown) => {
    if (!mayBeInPlace || !IN_PLACE.has(codeOf(error))) throw error;
    return null;
  };
  const handle = await open(part, 'wx', mode).catch(refused);
  let isPlaced = false;
  if (handle !== null) {
    try {
      await fill(handle, content, async () => {
        if (file !== null) await handle.chmod(options.mode !== undefined && replacesLink ? mode : file.mode & 0o777);
        if (owner) await handle.chown(owner.uid, owner.gid);
        else if (file !== null) await handle.chown(file.uid, file.gid).catch(() => {});
      });
      isPlaced = (await renameOver(part, target).then(() => true, refused)) ?? false;
    } finally {
      if (!isPlaced) await rm(part, { force: true }).catch(() => {});
    }
  }
  if (!isPlaced) await fill(await open(target, IN_PLACE_FLAGS), content);
}

/**
 * Writes a file that a person named. Replaces a link in its place, since a stranger may have put it there, but writes
 * through those of /dev. Anybody may write to /dev/shm.
 */
export function writeOutput(out: string, content: Content): Promise<void> {
  return writeAtomically(out, content, { isReal: !/^\/dev\/(?!shm\/)/.test(out) });
}

/**
 * Writes the output of streams; a signal, `stopped` or else the system's, leaves nothing behind. Raises invalid_input for
 * a file that cannot be written, and unavailable or internal when the stream ends early.
 */
export async function pipeAtomically(
  [source, ...through]: [Readable, ...Transform[]],
  out: string,
  stopped?: AbortSignal,
): Promise<void> {
  const leaving = new AbortController();
  const signal = stopped ?? leaving.signal;
  const leave = () => {
    process.exitCode = INTERRUPTED;
    leaving.abort();
  };
  // The streams pass an error on to each other: it came from the one that had it first.
  const broken = new Map<unknown, Place>();
  const watch = (stream: Stream, as: Place) =>
    stream.once('error', (error) => broken.has(error) || broken.set(error, as));
  const listenNoLonger = stopped === undefined ? onStopSignal(leave) : () => {};
  try {
    await writeOutput(out, async (file) => {
      signal.throwIfAborted();
      const flush = (await file.stat()).isFile();
      const sink = file.createWriteStream({ flush });
      for (const stream of [source, ...through]) watch(stream, 'source');
      watch(sink, 'file');
      const written = pipeline([source, ...through, sink], { signal });
      // From Node.js 22 on an aborted pipeline ends after its source does, which may wait for a lock of the database.
      await Promise.race([written, once(signal, 'abort').then(() => signal.throwIfAborted())]);
    });
  } catch (error) {
    if (signal.aborted) throw interrupted(out, error);
    const isOfFile = error instanceof Error && 'errno' in error && broken.get(error) !== 'source';
    throw isOfFile ? unusableFile(out, error) : domainErrorFrom(error);
  } finally {
    listenNoLonger();
  }
}

function interrupted(out: string, cause: unknown): DomainError {
  return new DomainError('unavailable', `Interrupted: ${escaped(out)} was not written.`, {
    hint: 'Run it again.',
    cause,
  });
}

/** Follows every link on the way to a file, through directories and missing parts too, and returns its real path. */
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
    // A stream with the flush option syncs and closes the file itself.
    if (!streams && before !== undefined) await file.sync();
  } catch (error) {
    // A stopped stream may hold the file for longer than anybody wants to wait.
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

async function statIfThere(path: string, isReal: boolean): Promise<Stats | null> {
  try {
    return await (isReal ? lstat : stat)(path);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
