import { link, mkdir, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, DomainError } from '../errors.ts';
import { inspectProcess } from './process.ts';

// A lock among processes that survives `kill -9` of its holder. Each holder creates the next numbered file in the
// directory; the highest number is the lock. A number is never used twice, because the highest file stays after its
// release: a process that acts on an outdated listing creates a number that is no longer the highest, and sees it.

const WAIT_MS_MAX = 90_000;
const POLL_MS = 20;

type Holder = { number: number; pid: number; identity: string };

/**
 * Runs `work` while no other process does so on this directory. Raises unavailable when the wait is longer than
 * allowed.
 */
export async function withLock<T>(
  directory: string,
  work: () => Promise<T>,
  waitMsMax: number = WAIT_MS_MAX,
): Promise<T> {
  const release = await acquire(directory, waitMsMax);
  try {
    return await work();
  } finally {
    await release();
  }
}

/** Tells whether the lock is held, without waiting for it. */
export async function isLocked(directory: string): Promise<boolean> {
  const holder = await currentHolder(directory);
  return holder !== null && (await isAlive(holder));
}

async function acquire(directory: string, waitMsMax: number): Promise<() => Promise<void>> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const me = { pid: process.pid, identity: (await inspectProcess(process.pid))?.identity ?? '' };
  const draft = join(directory, `draft-${process.pid}-${Math.random().toString(36).slice(2)}`);
  const deadline = performance.now() + waitMsMax;
  try {
    for (;;) {
      const holder = await currentHolder(directory);
      if (holder === null || !(await isAlive(holder))) {
        const number = (holder?.number ?? 0) + 1;
        await writeFile(draft, JSON.stringify(me), { mode: 0o600 });
        if (await take(directory, draft, number)) return () => give(directory, draft, number);
      } else if (performance.now() > deadline) {
        throw new DomainError('unavailable', `Another cairn process (${holder.pid}) does not let go of ${directory}.`, {
          hint: `Wait for it, or end process ${holder.pid} if it hangs.`,
        });
      }
      await sleep(POLL_MS);
    }
  } finally {
    await unlink(draft).catch(() => {});
  }
}

/** Creates the number by linking a finished file, so that name and content appear in one step. */
async function take(directory: string, draft: string, number: number): Promise<boolean> {
  const file = join(directory, String(number));
  try {
    await link(draft, file);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
  const numbers = await listNumbers(directory);
  if (Math.max(...numbers) !== number) {
    await unlink(file).catch(() => {});
    return false;
  }
  // The last one before us stays, so that a process that lists the directory now cannot miss both it and us.
  const outdated = numbers.filter((other) => other < number - 1);
  await Promise.all(outdated.map((other) => unlink(join(directory, String(other))).catch(() => {})));
  return true;
}

async function give(directory: string, draft: string, number: number): Promise<void> {
  await writeFile(draft, JSON.stringify({ pid: 0, identity: '' }), { mode: 0o600 });
  await rename(draft, join(directory, String(number)));
}

async function currentHolder(directory: string): Promise<Holder | null> {
  for (;;) {
    const numbers = await listNumbers(directory);
    if (numbers.length === 0) return null;
    const number = Math.max(...numbers);
    try {
      const { pid, identity } = JSON.parse(await readFile(join(directory, String(number)), 'utf8'));
      return { number, pid: Number(pid), identity: String(identity) };
    } catch (error) {
      // It was superseded and removed between the listing and the reading.
      if (codeOf(error) !== 'ENOENT') return { number, pid: 0, identity: '' };
    }
  }
}

async function listNumbers(directory: string): Promise<number[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

async function isAlive(holder: Holder): Promise<boolean> {
  if (holder.pid === 0) return false;
  const found = await inspectProcess(holder.pid);
  return found !== null && (found.identity === holder.identity || found.identity === '' || holder.identity === '');
}
