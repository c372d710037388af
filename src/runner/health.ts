import { readFileSync } from 'node:fs';
import { uptime } from 'node:process';
import { membersOf } from './session-members.ts';

/** Memory in MB of processes with all that they started; undefined where the system does not say (it does on Linux). */
export function memoryMbOf(leaders: readonly number[]): number | undefined {
  const members = leaders.length === 0 ? [] : (membersOf(leaders) ?? []);
  if (members.length === 0) return undefined;
  return Math.round(members.reduce((sum, { pid }) => sum + residentKb(pid), 0) / 1_024);
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

/** As /proc/PID/status (proc(5)) says, whatever the size of a page. */
function residentKb(pid: string): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
