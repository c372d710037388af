// What runs on this machine.
import { execFileSync } from 'node:child_process';

export type Process = { pid: number; parent: number; state: string; line: string };

export function processes(): Process[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid=,stat=,args='], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => {
    const [pid, parent, state = '', ...args] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), state, line: args.join(' ') };
  });
}

export function isRunning(pid: number): boolean {
  return processes().some((one) => one.pid === pid && !one.state.startsWith('Z'));
}
