import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { DomainError } from '../../errors.ts';
import { newId } from '../../events/ids.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { lastErrorIn, openErrorFile } from './error-file.ts';
import { HolderLink } from './link.ts';
import type { Start } from './messages.ts';
import { makeSocketFolder, removeSocket } from './socket-folder.ts';

const PROGRAM = fileURLToPath(new URL('dist/holder.js', PACKAGE_ROOT));
const READY_MS_MAX = 20_000;

type Given = Omit<Start, 'path' | 'secret'>;

/** Starts a holder, and connects to it; its socket is in a folder of its own in `dir`, what it says in a file. */
export async function startHolder({ dir, errors }: { dir: string; errors: string }, given: Given): Promise<HolderLink> {
  const secret = randomBytes(32).toString('base64url');
  const path = process.platform === 'win32' ? `\\\\.\\pipe\\cairn-${newId()}` : await makeSocketFolder(dir);
  // Where that fails, as on a full disk, nobody learns what it says.
  const said = await openErrorFile(errors).catch(() => undefined);
  const child = spawn(process.execPath, [PROGRAM, errors], {
    ...{ detached: true, windowsHide: true, cwd: tmpdir() },
    env: given.env,
    stdio: ['pipe', 'pipe', said?.fd ?? 'ignore'],
  });
  await said?.close();
  const hint = `What it said is in ${errors}.`;
  const ready = new Promise<void>((resolve, reject) => {
    const fail = async () => {
      const why = await lastErrorIn(errors);
      const message = `The program that holds the agent does not start${why === undefined ? '.' : `: ${why}`}`;
      reject(new DomainError('unavailable', message, { hint }));
    };
    child.once('error', fail).once('exit', fail);
    child.stdout?.once('data', () => resolve());
    setTimeout(fail, READY_MS_MAX).unref();
  });
  child.stdin?.on('error', () => {});
  child.stdin?.end(`${JSON.stringify({ ...given, path, secret } satisfies Start)}\n`);
  try {
    await ready;
    child.stdout?.destroy();
    child.unref();
    const address = { pid: child.pid ?? 0, path, secret };
    const link = await HolderLink.connect(address, given);
    if (link === undefined) {
      throw new DomainError('unavailable', 'The program that holds the agent does not answer.', { hint });
    }
    return link;
  } catch (error) {
    child.kill('SIGTERM');
    await removeSocket(path);
    throw error;
  }
}
