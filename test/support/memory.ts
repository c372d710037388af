import { readFileSync } from 'node:fs';

/** The memory of a process at its most, in kB; 0 where the system does not say. */
export function kilobytesOf(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
