import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
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

  isAlive(): boolean {
    return this.#signal(0);
  }

  /** Tells the group to end, then kills it; settles when none of it is left. */
  async stop({ graceMs }: { graceMs: number }): Promise<void> {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      if (!this.#signal(signal)) return;
      const until = performance.now() + graceMs;
      while (this.isAlive() && performance.now() < until) await sleep(LOOK_MS);
    }
    await once(this.child, 'close').catch(() => {});
  }

  #signal(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.child;
    if (pid === undefined) return false;
    try {
      // On Windows only the program itself is reached.
      return process.kill(process.platform === 'win32' ? pid : -pid, signal);
    } catch {
      return false;
    }
  }
}
