import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Gate } from './gate.ts';
import { endStrays, newMark } from './strays.ts';
import { onWindows } from './windows-script.ts';

export type Program = {
  command: string;
  args: readonly string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** While it is closed, what the program prints waits. */
  gate?: Gate;
};

/** How the processes of an agent are ended that do not end by themselves. */
export type Signalled = 'term' | 'kill';

const LOOK_MS = 50;
const CLOSE_MS = 500;

/** A program with all that it starts: a group of processes of its own, ended as a whole. */
export class ProcessGroup {
  readonly child: ChildProcessWithoutNullStreams;
  /** How the program itself ended; its children may live on until the group is stopped. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null; error?: Error }>;
  readonly #closed: Promise<unknown>;
  readonly #gate: Gate | undefined;
  readonly #signalled: (how: Signalled) => void;
  readonly #marked = newMark();

  /** `signalled` hears of each signal that the group is sent. */
  constructor({ command, args, cwd, env, gate }: Program, signalled: (how: Signalled) => void = () => {}) {
    this.#signalled = signalled;
    const isWindows = process.platform === 'win32';
    const started = isWindows ? onWindows({ command, args, cwd, env }) : { command, args };
    this.child = spawn(started.command, started.args, {
      ...{ cwd, env: { ...env, ...this.#marked.env }, windowsHide: true },
      // Windows has no groups of processes: there `detached` would open a window.
      detached: !isWindows,
      ...('verbatim' in started && { windowsVerbatimArguments: true }),
    });
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => resolve({ code: null, signal: null, error }));
      this.child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    this.#closed = new Promise((resolve) => this.child.once('close', resolve));
    // Who writes to a program that has ended is told by its exit.
    this.child.stdin.on('error', () => {});
    this.#gate = gate;
    const { stdout, stderr } = this.child;
    for (const printed of [stdout, stderr]) gate?.add(printed);
    void this.#closed.then(() => [stdout, stderr].map((printed) => gate?.remove(printed)));
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Writes to the program; `written` hears when it is on its way, and nothing where the program does not start. */
  write(text: string, written: () => void): void {
    this.child.stdin.write(text, (error) => {
      if (!error && this.pid !== undefined) written();
    });
  }

  /** Ends what the program has left, and settles when all that it printed is read, too. */
  async gone({ graceMs }: { graceMs: number }): Promise<void> {
    await this.stop({ graceMs });
    await this.#gate?.opened;
    // What left the group may hold the other end for good.
    await Promise.race([this.#closed, sleep(CLOSE_MS, undefined, { ref: false })]);
  }

  /** Tells the group to end, then kills it; settles when none of it is left. */
  async stop({ graceMs }: { graceMs: number }): Promise<void> {
    const { pid } = this.child;
    if (pid === undefined) return;
    await endGroup(pid, { graceMs, isAlive: () => isGroupAlive(pid), signalled: this.#signalled });
    await endStrays(this.#marked.mark, { graceMs });
  }
}

/** Tells a group of processes to end, then kills it, each time with so long a grace. */
export async function endGroup(
  pid: number,
  given: { graceMs: number; isAlive: () => boolean; signalled?: (how: Signalled) => void },
): Promise<void> {
  const { graceMs, isAlive, signalled = () => {} } = given;
  for (const [signal, how] of [
    ['SIGTERM', 'term'],
    ['SIGKILL', 'kill'],
  ] as const) {
    if (!isAlive() || !signalGroup(pid, signal)) return;
    signalled(how);
    const until = performance.now() + graceMs;
    while (isAlive() && performance.now() < until) await sleep(LOOK_MS);
  }
}

export function isGroupAlive(pid: number): boolean {
  return signalGroup(pid, 0);
}

/** Says why a program does not start. */
export function startFailure(error: Error): string {
  const missing = 'code' in error && error.code === 'ENOENT';
  return missing
    ? 'The program of the agent is not there.'
    : `The program of the agent does not start: ${error.message}`;
}

/** Sends a signal to a group of processes, on Windows to its program alone; false if it is gone. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  // kill(2) takes 0 for the caller's own group and -1 for all processes: no group of an agent has these numbers.
  if (pid <= 1) return false;
  try {
    return process.kill(process.platform === 'win32' ? pid : -pid, signal);
  } catch {
    return false;
  }
}
