import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import * as z from 'zod';
import { writeAtomically } from '../atomic-write.ts';

const Process = z.object({ pid: z.int().min(1), began: z.string() });
const State = z.object({ token: z.int(), runner: Process, children: z.array(Process) });
export type State = z.infer<typeof State>;

/** What a runner leaves for the next one of its name: its token, and the processes that it has started. */
export class StateFile {
  readonly #path: string;
  #last: Promise<unknown> = Promise.resolve();

  constructor(dataDir: string, agent: string) {
    // A name may hold what no file's name may.
    this.#path = join(runnersFolder(dataDir), `${encodeURIComponent(agent.toLowerCase()).slice(0, 200)}.json`);
  }

  /** Reads it; undefined where there is none, or none that can be read. */
  read(): Promise<State | undefined> {
    return stateIn(this.#path);
  }

  /** Writes it; where that fails, the next runner waits for the end of the lease, and finds no processes. */
  write(token: number, pids: readonly number[]): Promise<void> {
    const state: State = { token, runner: about(process.pid), children: pids.map(about) };
    return this.#next(async () => {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      await writeAtomically(this.#path, `${JSON.stringify(state)}\n`, { mode: 0o600 });
    });
  }

  remove(): Promise<void> {
    return this.#next(() => rm(this.#path, { force: true }));
  }

  /** One after the other: a write that is late must not come back after the end. */
  #next(step: () => Promise<void>): Promise<void> {
    const done = this.#last.then(step).catch(() => {});
    this.#last = done;
    return done;
  }
}

/** Counts the runners of this data directory that are alive. */
export async function countRunners(dataDir: string): Promise<number> {
  const folder = runnersFolder(dataDir);
  const names = await readdir(folder).catch(() => []);
  const states = await Promise.all(
    names.filter((name) => name.endsWith('.json')).map((name) => stateIn(join(folder, name))),
  );
  return states.filter((state) => state !== undefined && isSame(state.runner)).length;
}

/** The folder of what runners of this data directory keep. */
export function runnersFolder(dataDir: string): string {
  return join(dataDir, 'runners');
}

async function stateIn(path: string): Promise<State | undefined> {
  try {
    return State.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Tells whether a process is still the one that was noted: numbers are given again. */
export function isSame({ pid, began }: z.infer<typeof Process>): boolean {
  return isAlive(pid) && (began === '' || beganAt(pid) === began);
}

function about(pid: number): z.infer<typeof Process> {
  return { pid, began: beganAt(pid) };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The start of a process in the system's own ticks, of /proc/PID/stat (proc(5)); empty where there is none to read. */
function beganAt(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program is in parentheses, and may hold any.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
