import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

type ProcessState = {
  /** Changes when the process id is given to another process; empty where the system does not tell. */
  identity: string;
  /** The command line, as far as the system tells. */
  command: string;
};

/** Describes a living process; null when there is none, or only a zombie that nothing has reaped yet. */
export async function inspectProcess(pid: number): Promise<ProcessState | null> {
  if (!exists(pid)) return null;
  if (process.platform === 'linux') return inspectOnLinux(pid);
  if (process.platform === 'win32') return { identity: '', command: '' };
  return inspectWithPs(pid);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and belongs to someone else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function inspectOnLinux(pid: number): Promise<ProcessState | null> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field, the name in parentheses, may itself contain spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return null;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return { identity: fields[19] ?? '', command: command.replaceAll('\0', ' ') };
  } catch {
    return exists(pid) ? { identity: '', command: '' } : null;
  }
}

async function inspectWithPs(pid: number): Promise<ProcessState | null> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=,lstart=,command=', '-p', String(pid)]);
    const [, state, identity, command] = /^\s*(\S+)\s+(\S+ +\S+ +\S+ +\S+ +\S+)\s+(.*)$/m.exec(stdout) ?? [];
    if (state === undefined || state.startsWith('Z')) return null;
    return { identity: identity ?? '', command: command ?? '' };
  } catch {
    return exists(pid) ? { identity: '', command: '' } : null;
  }
}
