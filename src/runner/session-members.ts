import { readdirSync, readFileSync } from 'node:fs';

/** A process, and what /proc/PID/stat (proc(5)) says of it after its name. */
type Member = { pid: string; fields: string[] };

/**
 * Lists the processes of the sessions that these lead: an agent with all that it started. Undefined where the system
 * does not say (it does on Linux).
 */
export function membersOf(leaders: readonly number[]): Member[] | undefined {
  try {
    const wanted = new Set(leaders.map(String));
    const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return all.map((pid) => ({ pid, fields: fieldsOf(pid) })).filter(({ fields }) => wanted.has(fields[3] ?? ''));
  } catch {
    return undefined;
  }
}

function fieldsOf(pid: string): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program is in parentheses, and may hold any.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
