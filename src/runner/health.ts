import { readFileSync } from 'node:fs';
import { uptime } from 'node:process';
import { ProcessorMeter } from './processor.ts';
import { membersOf } from './session-members.ts';

/** Memory in MB of processes with all that they started; undefined where the system does not say (it does on Linux). */
export function memoryMbOf(leaders: readonly number[]): number | undefined {
  const members = leaders.length === 0 ? [] : (membersOf(leaders) ?? []);
  if (members.length === 0) return undefined;
  return Math.round(members.reduce((sum, { pid }) => sum + residentKb(pid), 0) / 1_024);
}

/** What a beat says of the health of an agent: memory in MB, percent of one processor, uptime in seconds. */
export function healthOf(pids: readonly number[], processor: ProcessorMeter): Record<string, number> {
  const memory_usage = memoryMbOf(pids);
  const cpu_usage = processor.percentOf(pids);
  return {
    uptime: Math.round(uptime()),
    ...(memory_usage !== undefined && { memory_usage }),
    ...(cpu_usage !== undefined && { cpu_usage }),
  };
}

/** What a runner says of the health of its agent, from one beat to the next. */
export class Health {
  readonly #processor = new ProcessorMeter({ overMs: 1 });
  #notRecorded = 0;

  /** Counts what the server refused to record of its runs. */
  hear({ what }: { what: string }): void {
    if (what === 'unrecorded') this.#notRecorded += 1;
  }

  of(pids: readonly number[]): Record<string, number> {
    return {
      ...healthOf(pids, this.#processor),
      ...(this.#notRecorded > 0 && { not_recorded: this.#notRecorded }),
    };
  }
}

/** As /proc/PID/status (proc(5)) says, whatever the size of a page. */
function residentKb(pid: string): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
