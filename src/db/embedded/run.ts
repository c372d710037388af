import { spawn } from 'node:child_process';
import { DomainError } from '../../errors.ts';
import { BRING_YOUR_OWN } from './binaries.ts';
import type { Account } from './system-account.ts';

const OUTPUT_CHARACTERS_MAX = 4_000;
const RUN_MS_MAX = 120_000;

/** Options to start one of PostgreSQL's programs: as the account, and without the caller's PG* and locale variables. */
export function spawnOptions(account: Account | null): {
  uid?: number;
  gid?: number;
  env?: NodeJS.ProcessEnv;
  cwd: string;
} {
  // Windows needs its own variables to load libraries; elsewhere the programs need none.
  const env = process.platform === 'win32' ? {} : { env: { LC_ALL: 'C', TZ: 'UTC' } };
  return { cwd: process.platform === 'win32' ? '.' : '/', ...env, ...(account ?? {}) };
}

/** Runs a program to its end; its output becomes the error if it fails. */
export async function run(program: string, args: string[], account: Account | null): Promise<void> {
  const child = spawn(program, args, {
    ...spawnOptions(account),
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    timeout: RUN_MS_MAX,
  });
  let output = '';
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const status = await new Promise<number | string | null>((resolve, reject) => {
    child.once('error', (cause) => reject(cannotRun(program, cause)));
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  if (status !== 0) throw startFailed(output, status);
}

// An existing program that is "not found" lacks its loader: musl has another one than glibc.
function cannotRun(program: string, cause: unknown): DomainError {
  return new DomainError('unavailable', `The embedded database cannot run on this system: ${String(cause)}.`, {
    hint: `Does ${program} fit it (glibc, not musl)? ${BRING_YOUR_OWN}`,
    retryable: false,
    cause,
  });
}

/** Explains in one sentence why PostgreSQL did not start, as far as its own output tells. */
export function startFailed(output: string, cause: unknown): DomainError {
  if (/No space left on device|Disk quota exceeded/.test(output)) {
    return new DomainError('unavailable', 'The embedded database could not start: the disk is full.', {
      hint: 'Free some space, then start cairn again.',
      cause,
    });
  }
  // Messages to other clients meanwhile are not the reason.
  const reason =
    /(?:FATAL|PANIC|error):\s+(?!the database system is )(.*)/.exec(output)?.[1] ??
    output.trim().split('\n').at(-1) ??
    '';
  return new DomainError('unavailable', `The embedded database could not start: ${reason || String(cause)}`, {
    hint: 'See server.log in the data directory, or set DATABASE_URL to another PostgreSQL.',
    cause,
  });
}
