import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import * as z from 'zod';
import { writeAtomically } from '../atomic-write.ts';
import type { Address } from './holder/link.ts';
import { beganAt, type Noted, whatBecameOf } from './process-start.ts';
import { markOf } from './strays.ts';

const Process = z.object({ pid: z.int().min(1), began: z.string(), mark: z.string().optional() });
const State = z.object({
  /** None before it has registered. */
  token: z.int().optional(),
  runner: Process,
  children: z.array(Process),
  /** How many runs its agent does at once. */
  at_once: z.int().min(1).optional().catch(undefined),
  /** The program that owns those, where one does, and what it was started for. */
  holder: z.object({ ...Process.shape, path: z.string(), secret: z.string(), drives: z.string() }).optional(),
  /** When it was written, in ms; before this start of the machine where it does not say. */
  at: z.number().catch(0),
});
export type State = z.infer<typeof State>;

/** What a runner leaves for the next one of its name: its token, and the processes that it has started. */
export class StateFile {
  /** For what the holder of its agent says of itself. */
  readonly errors: string;
  readonly #path: string;
  readonly #atOnce: number;
  #last: Promise<unknown> = Promise.resolve();
  /** Of those that were noted last: some systems are slow to say it. */
  #noted = new Map<number, Noted>();
  #holder: (Address & { drives: string }) | undefined;

  constructor(dataDir: string, agent: string, { atOnce = 1 }: { atOnce?: number } = {}) {
    this.#atOnce = atOnce;
    // A name may hold what no file's name may.
    const path = join(runnersFolder(dataDir), encodeURIComponent(agent.toLowerCase()).slice(0, 200));
    this.#path = `${path}.json`;
    this.errors = `${path}.log`;
  }

  /** Reads it; undefined where there is none, or none that can be read. */
  read(): Promise<State | undefined> {
    return stateIn(this.#path);
  }

  /** Names the holder of its agent from now on, with what the runner before noted of its processes. */
  heldBy(holder: Address & { drives: string }, before: readonly Noted[] = []): void {
    this.#holder = holder;
    // A number may have been given again, to this process.
    this.#noted = new Map(before.filter(({ pid }) => pid !== process.pid).map((noted) => [noted.pid, noted]));
  }

  /** Writes it; where that fails, the next runner waits for the end of the lease, and finds no processes. */
  write(token: number | undefined, pids: readonly number[]): Promise<void> {
    return this.#next(async () => {
      const holder = this.#holder;
      const [runner, ...noted] = await this.#note(holder === undefined ? pids : [...pids, holder.pid]);
      const children = noted.filter(({ pid }) => pid !== holder?.pid);
      const held = noted.find(({ pid }) => pid === holder?.pid);
      const state: State = {
        ...{ runner, children, at_once: this.#atOnce, at: Date.now() },
        ...(token !== undefined && { token }),
        ...(holder !== undefined && held !== undefined && { holder: { ...holder, ...held } }),
      };
      await this.#put(state);
    });
  }

  /** Writes what another runner left, as it was: the next one goes on from there. */
  giveBack(left: State): Promise<void> {
    return this.#next(() => this.#put(left));
  }

  async #put(state: State): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    await writeAtomically(this.#path, `${JSON.stringify(state)}\n`, { mode: 0o600 });
  }

  async #note(pids: readonly number[]): Promise<[runner: Noted, ...others: Noted[]]> {
    const about = async (pid: number) => this.#noted.get(pid) ?? { pid, began: await beganAt(pid), mark: markOf(pid) };
    const all: [Noted, ...Noted[]] = [await about(process.pid), ...(await Promise.all(pids.map(about)))];
    this.#noted = new Map(all.map((noted) => [noted.pid, noted]));
    return all;
  }

  remove(): Promise<void> {
    return this.#next(async () => {
      for (const path of [this.#path, this.errors]) await rm(path, { force: true });
    });
  }

  /** One after the other: a write that is late must not come back after the end. */
  #next(step: () => Promise<void>): Promise<void> {
    const done = this.#last.then(step).catch(() => {});
    this.#last = done;
    return done;
  }
}

/** Counts what the living runners of this data directory may do at once. */
export async function countDriven(dataDir: string): Promise<number> {
  const folder = runnersFolder(dataDir);
  const names = await readdir(folder).catch(() => []);
  const counts = names
    .filter((name) => name.endsWith('.json'))
    .map(async (name) => {
      const state = await stateIn(join(folder, name));
      const isDriven = state !== undefined && (await whatBecameOf(state.runner)) === 'alive';
      return isDriven ? (state.at_once ?? 1) : 0;
    });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
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
