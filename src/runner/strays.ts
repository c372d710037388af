import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

/** Names the group in whose program a process has its origin, wherever it went. */
const MARK = 'CAIRN_PROCESS';
const LOOK_MS = 50;

/** A mark that no other group has, and the environment that hands it on. */
export function newMark(): { mark: string; env: Record<string, string> } {
  const mark = randomUUID();
  return { mark, env: { [MARK]: mark } };
}

/** The mark that a process was started with; undefined where there is none, or the system does not say. */
export function markOf(pid: number): string | undefined {
  const found = environmentOf(pid).find((variable) => variable.startsWith(`${MARK}=`));
  return found?.slice(MARK.length + 1);
}

/**
 * Ends what left a group, as by setsid, and still has its mark: tells it to end, then kills it, each time with so long a
 * grace. Finds nothing where the system does not tell the environment of processes (Linux does).
 */
export async function endStrays(mark: string, { graceMs }: { graceMs: number }): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const told = new Set<number>();
    const until = performance.now() + graceMs;
    // One that is told to end may start another.
    for (let left = straysOf(mark); left.length > 0 && performance.now() < until; left = straysOf(mark)) {
      for (const pid of left) if (!told.has(pid)) send(pid, signal);
      for (const pid of left) told.add(pid);
      await sleep(LOOK_MS);
    }
  }
}

function straysOf(mark: string): number[] {
  const user = process.getuid?.();
  if (process.platform !== 'linux' || user === undefined) return [];
  return processes().filter((pid) => pid !== process.pid && ownerOf(pid) === user && markOf(pid) === mark);
}

function processes(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function ownerOf(pid: number): number | undefined {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
}

/** The variables with which a program was started (proc(5)); none of one that has ended. */
function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
