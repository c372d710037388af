import { readFileSync } from 'node:fs';
import { uptime } from 'node:process';

/** Memory of processes in MB; undefined where the system does not say (it does on Linux). */
export function memoryMbOf(pids: readonly number[]): number | undefined {
  const pages = pids.map(residentPages).filter((count) => count !== undefined);
  if (pages.length === 0) return undefined;
  return Math.round((pages.reduce((sum, count) => sum + count, 0) * 4_096) / 1_048_576);
}

/** What a beat says of the health of an agent: memory in MB, uptime in seconds, the time of an answer in ms. */
export function healthOf(pids: readonly number[], answered: { count: number; ms: number }): Record<string, number> {
  const memory_usage = memoryMbOf(pids);
  return {
    uptime: Math.round(uptime()),
    commands_processed: answered.count,
    ...(memory_usage !== undefined && { memory_usage }),
    ...(answered.count > 0 && { average_response_time: Math.round(answered.ms / answered.count) }),
  };
}

/** The second number of /proc/PID/statm (proc(5)). */
function residentPages(pid: number): number | undefined {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    return Number.isInteger(pages) ? pages : undefined;
  } catch {
    return undefined;
  }
}
