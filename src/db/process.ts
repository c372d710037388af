import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { codeOf } from '../errors.ts';

type ProcessState = {
  /** Changes when another process gets the id; empty if the system does not tell. */
  identity: string;
  /** The command line, as far as the system tells. */
  command: string;
};

/** Describes a living process; null if there is none, or only an unreaped zombie. */
export async function inspectProcess(pid: number): Promise<ProcessState | null> {
  if (!exists(pid)) return null;
  if (process.platform === 'linux') return inspectOnLinux(pid);
  if (process.platform === 'win32') return { identity: '', command: '' };
  return inspectWithPs(pid);
}

/** Finds a living process that was started with these consecutive arguments; null if the system does not tell. */
export async function findProcess(...args: string[]): Promise<number | null> {
  if (process.platform === 'win32') return null;
  if (process.platform !== 'linux') return findWithPs(args.join(' '));
  const wanted = `\0${args.join('\0')}\0`;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(wanted)) return Number(pid);
  }
  return null;
}

async function findWithPs(args: string): Promise<number | null> {
  const { stdout } = await promisify(execFile)('ps', ['-axo', 'pid=,command=']).catch(() => ({ stdout: '' }));
  const line = stdout.split('\n').find((text) => text.trimEnd().endsWith(` ${args}`));
  return line === undefined ? null : Number.parseInt(line, 10);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and belongs to someone else.
    return codeOf(error) === 'EPERM';
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
