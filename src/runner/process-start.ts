import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { promisify } from 'node:util';
import { thisHost } from '../config.ts';

const run = promisify(execFile);
const ASK_MS_MAX = 10_000;

/** What is kept of a process: its number, which is given again, when it began, and the mark of its group. */
export type Noted = { pid: number; began: string; mark?: string | undefined };

/** Tells whether a process is still the one that was noted; unknown where the system does not say when it began. */
export async function whatBecameOf({ pid, began }: Noted): Promise<'alive' | 'gone' | 'unknown'> {
  if (!isAlive(pid)) return 'gone';
  const now = await beganAt(pid);
  if (began === '' || now === '') return 'unknown';
  return now === began ? 'alive' : 'gone';
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The start of a process as its system tells it; empty where it does not. */
export async function beganAt(pid: number, platform: NodeJS.Platform = process.platform): Promise<string> {
  try {
    if (platform === 'linux') return ticksOf(pid);
    if (platform === 'win32') {
      const asked = `(Get-CimInstance Win32_Process -Filter 'ProcessId=${pid}').CreationDate.ToFileTimeUtc()`;
      return await printedBy('powershell.exe', ['-NoProfile', '-NonInteractive', '-Command', asked]);
    }
    return await printedBy('ps', ['-o', 'lstart=', '-p', String(pid)]);
  } catch {
    return '';
  }
}

/** In the system's own ticks, of /proc/PID/stat (proc(5)). */
function ticksOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the program is in parentheses, and may hold any.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

async function printedBy(program: string, args: string[]): Promise<string> {
  // In the words of one language and zone: another shell may ask later.
  const env = { ...thisHost().env, LC_ALL: 'C', TZ: 'UTC' };
  const { stdout } = await run(program, args, { env, timeout: ASK_MS_MAX, windowsHide: true });
  return stdout.trim();
}
