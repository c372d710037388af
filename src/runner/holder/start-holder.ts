import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { DomainError } from '../../errors.ts';
import { newId } from '../../events/ids.ts';
import { PACKAGE_ROOT } from '../../package-root.ts';
import { HolderLink } from './link.ts';
import type { Start } from './messages.ts';

const PROGRAM = fileURLToPath(new URL('dist/holder.js', PACKAGE_ROOT));
const READY_MS_MAX = 20_000;

type Given = Omit<Start, 'path' | 'secret'>;

/** Starts a holder, and connects to it. */
export async function startHolder(given: Given): Promise<HolderLink> {
  const secret = randomBytes(32).toString('base64url');
  const folder = process.platform === 'win32' ? undefined : await mkdtemp(join(tmpdir(), 'cairn-'));
  const path = folder === undefined ? `\\\\.\\pipe\\cairn-${newId()}` : join(folder, 'holder');
  const child = spawn(process.execPath, [PROGRAM], {
    ...{ detached: true, windowsHide: true, cwd: tmpdir() },
    env: given.env,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const ready = new Promise<void>((resolve, reject) => {
    const fail = () => reject(new DomainError('unavailable', 'The program that holds the agent does not start.'));
    child.once('error', fail).once('exit', fail);
    child.stdout.once('data', () => resolve());
    setTimeout(fail, READY_MS_MAX).unref();
  });
  child.stdin.on('error', () => {});
  child.stdin.end(`${JSON.stringify({ ...given, path, secret } satisfies Start)}\n`);
  try {
    await ready;
    child.stdout.destroy();
    child.unref();
    const address = { pid: child.pid ?? 0, path, secret };
    const link = await HolderLink.connect(address, given);
    if (link === undefined) throw new DomainError('unavailable', 'The program that holds the agent does not answer.');
    return link;
  } catch (error) {
    child.kill('SIGTERM');
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    throw error;
  }
}
