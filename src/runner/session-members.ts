import { readdirSync, readFileSync } from 'node:fs';

/** A process, and what /proc/PID/stat (proc(5)) says of it after its name. */
type Member = { pid: string; fields: string[] };

/**
 * Lists the processes of the sessions that these lead, and what those have started, in a session of its own too: an
 * agent with all that it started. Undefined where the system does not say (it does on Linux).
 */
export function membersOf(leaders: readonly number[]): Member[] | undefined {
  try {
    const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return withDescendants(
      all.map((pid) => ({ pid, fields: fieldsOf(pid) })),
      new Set(leaders.map(String)),
    );
  } catch {
    return undefined;
  }
}

function withDescendants(all: readonly Member[], sessions: ReadonlySet<string>): Member[] {
  const found = new Map<string, Member>();
  const isOurs = ({ fields: [, parent = '', , session = ''] }: Member) => sessions.has(session) || found.has(parent);
  // A child may stand before its parent.
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const member of all) if (isOurs(member)) found.set(member.pid, member);
  }
  return [...found.values()];
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
