import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { writeAtomically } from '../atomic-write.ts';
import { DomainError } from '../errors.ts';
import type { Address } from './holder/link.ts';
import { beganAt, type Noted } from './process-start.ts';
import { removeRemains, runnersFolder, whileNoneBegins } from './runners-folder.ts';
import { readState, refuseAlive, type State } from './state.ts';
import { markOf } from './strays.ts';

// With its hash and `.json` it stays whole in the name of an unfinished file, which so tells whose it is.
const READABLE_CHARACTERS = 32;
const HASH_CHARACTERS = 16;
const EARLIER_CHARACTERS_MAX = 200;

/** The state of a runner, which is its own from when it takes it until it removes it, gives it back or ends. */
export class StateFile {
  readonly path: string;
  /** For what the holder of its agent says of itself. */
  readonly errors: string;
  readonly #earlier: string;
  readonly #dataDir: string;
  readonly #name: string;
  readonly #whose: { agent: string; place: string };
  readonly #atOnce: number;
  #isTaken = false;
  #last: Promise<unknown> = Promise.resolve();
  /** Of those that were noted last: some systems are slow to say it. */
  #noted = new Map<number, Noted>();
  #holder: (Address & { drives: string }) | undefined;

  /** The state of an agent of a name, at the server `place` where it is not of this machine's database. */
  constructor(dataDir: string, name: string, { place = '', atOnce = 1 }: { place?: string; atOnce?: number } = {}) {
    this.#dataDir = dataDir;
    this.#name = name;
    this.#whose = { agent: name.toLowerCase(), place };
    this.#atOnce = atOnce;
    const path = join(runnersFolder(dataDir), fileNameOf(this.#whose));
    this.path = `${path}.json`;
    this.errors = `${path}.log`;
    this.#earlier = join(runnersFolder(dataDir), earlierNameOf(this.#whose));
  }

  /**
   * Takes it for this process, and returns what an earlier runner left, of which nothing is lost if this one is killed
   * at once. Raises lock_held while another runner has it, and what `refuse` raises, which is asked while no other
   * runner of the data directory begins.
   */
  take(refuse: (left: State | undefined) => Promise<void> = async () => {}): Promise<State | undefined> {
    return whileNoneBegins(this.#dataDir, async () => {
      await removeRemains(this.#dataDir);
      const own = await this.#own();
      const left = own ?? (await this.#ofEarlierBuild());
      const became = left === undefined ? 'gone' : await refuseAlive(left, this.#name);
      await refuse(left);
      const [runner] = await this.#note([]);
      const { token, ...about } = left ?? { children: [], at: Date.now() };
      // Where nobody knows whether that runner has ended, its lease tells.
      const known = became === 'gone' && token !== undefined ? { token } : {};
      await this.#put({ ...about, ...this.#whose, ...known, runner, at_once: this.#atOnce });
      this.#isTaken = true;
      if (own === undefined && left !== undefined) await removeAll(this.#earlier);
      return left;
    });
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
      await this.#put({
        ...{ ...this.#whose, runner, children, at_once: this.#atOnce, at: Date.now() },
        ...(token !== undefined && { token }),
        ...(holder !== undefined && held !== undefined && { holder: { ...holder, ...held } }),
      });
    });
  }

  /** Leaves what another runner left, as it was: the next one goes on from there. */
  giveBack(left: State | undefined): Promise<void> {
    return this.#next(async () => {
      this.#isTaken = false;
      if (left === undefined) await rm(this.path, { force: true });
      else await this.#put({ ...left, ...this.#whose });
    });
  }

  remove(): Promise<void> {
    return this.#next(async () => {
      this.#isTaken = false;
      await removeAll(this.path.slice(0, -'.json'.length));
    });
  }

  /** Raises lock_held where it says that it is of another agent, which is then neither taken over nor ended. */
  async #own(): Promise<State | undefined> {
    const left = await readState(this.path);
    const { agent, place } = this.#whose;
    if (left === undefined || (left.agent === agent && left.place === place)) return left;
    throw new DomainError('lock_held', `${this.path} is of another agent.`, {
      hint: 'Choose another name with --name, or remove that file.',
    });
  }

  /** Where it may be another's, nothing is taken over: that agent ends by itself. */
  async #ofEarlierBuild(): Promise<State | undefined> {
    const isSure = !this.#whose.agent.includes('@') && basename(this.#earlier).length < EARLIER_CHARACTERS_MAX;
    const left = isSure ? await readState(`${this.#earlier}.json`) : undefined;
    return left?.agent === undefined ? left : undefined;
  }

  async #put(state: State): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    await writeAtomically(this.path, `${JSON.stringify(state)}\n`, { mode: 0o600 });
  }

  async #note(pids: readonly number[]): Promise<[runner: Noted, ...others: Noted[]]> {
    const about = async (pid: number) => this.#noted.get(pid) ?? { pid, began: await beganAt(pid), mark: markOf(pid) };
    const all: [Noted, ...Noted[]] = [await about(process.pid), ...(await Promise.all(pids.map(about)))];
    this.#noted = new Map(all.map((noted) => [noted.pid, noted]));
    return all;
  }

  /** One after the other, and none once it is another's: a write that is late must not come back after the end. */
  #next(step: () => Promise<void>): Promise<void> {
    const done = this.#last.then(() => (this.#isTaken ? step() : undefined)).catch(() => {});
    this.#last = done;
    return done;
  }
}

/** A name may hold what no file's name may, and be longer; two that begin in the same way have two files. */
function fileNameOf({ agent, place }: { agent: string; place: string }): string {
  const readable = agent.replace(/[^a-z0-9_-]+/g, '-').slice(0, READABLE_CHARACTERS);
  const hash = createHash('sha256')
    .update(JSON.stringify([agent, place]))
    .digest('hex');
  return `${readable}-${hash.slice(0, HASH_CHARACTERS)}`;
}

/** Builds that did not say whose a file is cut long names, and wrote a name and its place as one. */
function earlierNameOf({ agent, place }: { agent: string; place: string }): string {
  return encodeURIComponent(place === '' ? agent : `${agent}@${place}`.toLowerCase()).slice(0, EARLIER_CHARACTERS_MAX);
}

/** The log goes first: once there is no state, another runner may have the name, and say something. */
async function removeAll(path: string): Promise<void> {
  for (const ending of ['.log', '.json']) await rm(`${path}${ending}`, { force: true });
}
