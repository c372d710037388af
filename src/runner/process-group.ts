import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

export type Program = { command: string; args: readonly string[]; cwd: string; env: NodeJS.ProcessEnv };

const LOOK_MS = 50;

/** A program with all that it starts: a group of processes of its own, ended as a whole. */
export class ProcessGroup {
  readonly child: ChildProcessWithoutNullStreams;
  /** How the program itself ended; its children may live on until the group is stopped. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null; error?: Error }>;

  constructor({ command, args, cwd, env }: Program) {
    // Windows has no groups of processes: there `detached` would open a window.
    this.child = spawn(command, args, { cwd, env, detached: process.platform !== 'win32', windowsHide: true });
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => resolve({ code: null, signal: null, error }));
      this.child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    // Who writes to a program that has ended is told by its exit.
    this.child.stdin.on('error', () => {});
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Tells the group to end, then kills it; settles when none of it is left. */
  async stop({ graceMs }: { graceMs: number }): Promise<void> {
    const { pid } = this.child;
    if (pid === undefined) return;
    await endGroup(pid, { graceMs, isAlive: () => signalGroup(pid, 0) });
  }
}

/** Tells a group of processes to end, then kills it, each time with so long a grace. */
export async function endGroup(
  pid: number,
  { graceMs, isAlive }: { graceMs: number; isAlive: () => boolean },
): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isAlive() || !signalGroup(pid, signal)) return;
    const until = performance.now() + graceMs;
    while (isAlive() && performance.now() < until) await sleep(LOOK_MS);
  }
}

/** Sends a signal to a group of processes, on Windows to its program alone; false if it is gone. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(process.platform === 'win32' ? pid : -pid, signal);
  } catch {
    return false;
  }
}
