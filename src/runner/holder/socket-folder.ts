import { lstat, mkdir, mkdtemp, rm, rmdir, unlink } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { codeOf, DomainError } from '../../errors.ts';

// The address of a socket has 104 bytes on macOS, with a zero at its end, and 108 on Linux.
const BYTES_MAX = 103;
// A holder that starts listens within 20 seconds, or is given up.
const STARTING_MS_MAX = 60_000;
const NOBODY = new Set(['ECONNREFUSED', 'ENOENT']);

/**
 * Makes a folder that its user alone may enter, with room for a socket, and returns where that is to be. What is beside
 * the state of runners is cleaned up by no program, as temporary files are after some days; a file system there may have
 * no sockets, though, or a path too long for one.
 */
export async function makeSocketFolder(dir: string): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const parent of [dir, tmpdir()]) {
    const folder = await mkdtemp(join(parent, 'cairn-')).catch(() => undefined);
    if (folder === undefined) continue;
    const path = join(folder, 'holder');
    if (await takesSocket(path)) return path;
    await rm(folder, { recursive: true, force: true });
  }
  throw new DomainError('unavailable', `Neither ${dir} nor ${tmpdir()} takes the socket of an agent.`, {
    hint: 'Make room there, or name another place for temporary files with TMPDIR.',
  });
}

/** Removes a socket that nobody listens on any more, with its folder; nothing else, whatever the path is. */
export async function removeSocket(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isSocket()) return;
    await unlink(path);
    await rmdir(dirname(path));
  } catch {
    // It is gone, or others have put something beside it.
  }
}

/** Removes a folder that was made for a socket, where nobody listens on it and no holder starts that soon will. */
export async function removeDeadFolder(folder: string): Promise<void> {
  try {
    const { mtimeMs } = await lstat(folder);
    const path = join(folder, 'holder');
    if (mtimeMs > Date.now() - STARTING_MS_MAX || (await mayListen(path))) return;
    await removeSocket(path);
    await rmdir(folder);
  } catch {
    // As above.
  }
}

/** Removes the folder of a socket that the caller listened on. */
export async function removeFolder(path: string): Promise<void> {
  if (process.platform !== 'win32') await rm(dirname(path), { recursive: true, force: true });
}

async function takesSocket(path: string): Promise<boolean> {
  if (Buffer.byteLength(path) > BYTES_MAX) return false;
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(path, () => server.close(() => resolve(true)));
  });
}

function mayListen(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', (error) => resolve(!NOBODY.has(codeOf(error))));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
