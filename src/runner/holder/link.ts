import { connect, type Socket } from 'node:net';
import { DomainError, isErrorCode } from '../../errors.ts';
import type { Driver, Turn, Watcher } from '../driver.ts';
import type { Ended, Limited } from '../ended.ts';
import { type Keeper, Kept } from '../keeper.ts';
import { eachLine, jsonOf } from '../lines.ts';
import { endGroup, isGroupAlive } from '../process-group.ts';
import { FromHolder, type HeldRun, PROTOCOL, type ToHolder } from './messages.ts';

const READY_MS_MAX = 20_000;

/** Where a holder listens, and what it wants to hear from its runner. */
export type Address = { pid: number; path: string; secret: string };
type Watched = { watcher: Watcher; settle(ended: Ended | Limited): void; asks: Map<string, AbortController> };
type Steps = Extract<FromHolder, { say: 'steps' }>;
type OfRun = Exclude<FromHolder, { say: 'holds' | 'taken' | 'opened' | 'failed' | 'steps' | 'pids' | 'closed' }>;
type Opening = { resolve(driver: Driver): void; reject(error: Error): void };

/** A runner's connection to the holder of its agent's processes. */
export class HolderLink {
  readonly address: Address;
  /** What it held before. */
  readonly #held: Map<string, HeldRun>;
  /** Of those, what came since. */
  #early: OfRun[] = [];
  readonly #socket: Socket;
  readonly #runs = new Map<string, Watched>();
  readonly #opening = new Map<string, Opening>();
  readonly #closing = new Map<string, () => void>();
  readonly #pids = new Map<string, number[]>();
  readonly #graceMs: number;
  #changed = () => {};
  /** Until somebody hears of them. */
  readonly #steps: Steps[] = [];
  #heard: (told: Steps) => void = (told) => this.#steps.push(told);
  #fail: (error: Error) => void = () => {};
  /** Raises when the holder is gone. */
  readonly failed = new Promise<never>((_, reject) => {
    this.#fail = reject;
  });
  #isOver = false;
  /** Settles when nothing is left of what a holder held that is gone. */
  #cleared: Promise<unknown> = Promise.resolve();

  private constructor(
    socket: Socket,
    { address, held, graceMs }: { address: Address; held: HeldRun[]; graceMs: number },
  ) {
    this.#socket = socket;
    this.address = address;
    this.#held = new Map(held.map((run) => [run.run, run]));
    this.#graceMs = graceMs;
    socket.on('close', () => void this.#lose());
    this.failed.catch(() => {});
  }

  /** Goes on with a holder; undefined where it is gone, or does not know it. Raises lock_held where another runner has. */
  static connect(address: Address, { graceMs }: { graceMs: number }): Promise<HolderLink | undefined> {
    return new Promise((resolve, reject) => {
      const socket = connect(address.path);
      let link: HolderLink | undefined;
      const give = (found: HolderLink | undefined) => {
        clearTimeout(timer);
        resolve(found);
      };
      const timer = setTimeout(() => socket.destroy(), READY_MS_MAX);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => give(undefined));
      const hello: ToHolder = { say: 'hello', secret: address.secret, protocol: PROTOCOL };
      socket.write(`${JSON.stringify(hello)}\n`);
      eachLine(socket, (line) => {
        const { data } = FromHolder.safeParse(jsonOf(line));
        if (data === undefined) return;
        if (link !== undefined) link.#take(data);
        else if (data.say === 'taken') reject(TAKEN);
        else if (data.say === 'holds') {
          link = new HolderLink(socket, { address, held: data.runs, graceMs });
          give(link);
        }
      });
    });
  }

  /** What its earlier runner kept of the runs that it drove. */
  get kept(): Kept[] {
    return [...this.#held.values()].flatMap(({ kept }) => Kept.safeParse(kept).data ?? []);
  }

  /** Tells whether it can go on with all that is held: an earlier build may have kept something else. */
  get knowsAll(): boolean {
    return this.kept.length === this.#held.size;
  }

  /** Hears when processes begin or end. */
  set changed(hear: () => void) {
    this.#changed = hear;
  }

  /** Hears of steps of runs, also of those that were told before; `stored` says that the server has them. */
  set steps(hear: (told: Steps) => void) {
    this.#heard = hear;
    for (const told of this.#steps.splice(0)) hear(told);
  }

  stored(id: number): void {
    this.#say({ say: 'stored', id });
  }

  /** The driver that works in a folder. */
  open(cwd: string): Promise<Driver> {
    return new Promise<Driver>((resolve, reject) => {
      this.#opening.set(cwd, { resolve, reject });
      if (this.#isOver) reject(GONE);
      this.#say({ say: 'open', cwd });
    });
  }

  /** Leaves what it holds to another runner. */
  leave(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  /** Ends all that it holds, and it. */
  async quit(): Promise<void> {
    if (!this.#isOver) {
      const closed = new Promise((resolve) => this.#socket.once('close', resolve));
      this.#say({ say: 'quit' });
      await closed;
    }
    await this.#cleared;
  }

  #keeper(cwd: string): Keeper {
    return {
      keep: (run, kept) => this.#say({ say: 'keep', run, cwd, kept }),
      reached: (run, sequence) => {
        const { marks = [], after = NOTHING } = this.#held.get(run) ?? {};
        // Of a flood it is not known how much came before a sequence.
        const known = sequence === 0 ? NOTHING : (marks.find((mark) => mark.sequence === sequence) ?? after);
        if (known.characters < after.characters) return { ...after, lost: after.bytes - known.bytes };
        return { characters: known.characters, bytes: known.bytes, lost: 0 };
      },
      sends: (run, mark) => this.#say({ say: 'sends', run, mark }),
      sent: (run, characters) => this.#say({ say: 'sent', run, characters }),
      forget: (run) => {
        this.#runs.delete(run);
        this.#say({ say: 'forget', run });
      },
    };
  }

  #driver(cwd: string, { path, modes }: Pick<Driver, 'path' | 'modes'>): Driver {
    return {
      ...{ path, modes },
      open: async () => {},
      deliver: (text, { run, mode, env, watcher }) => {
        const turn = this.#watch(run, watcher);
        this.#say({ say: 'deliver', run, cwd, text, mode, env });
        return turn;
      },
      resume: (run, how) => this.#resume(run, how),
      keeper: this.#keeper(cwd),
      close: () =>
        new Promise<void>((resolve) => {
          this.#closing.set(cwd, resolve);
          if (this.#isOver) void this.#cleared.then(() => resolve());
          this.#say({ say: 'close', cwd });
        }),
      pids: () => this.#pids.get(cwd) ?? [],
    };
  }

  #watch(run: string, watcher: Watcher): Turn {
    const ended = new Promise<Ended | Limited>((settle) => {
      this.#runs.set(run, { watcher, settle, asks: new Map() });
      if (this.#isOver) void this.#cleared.then(() => settle(CRASHED));
    });
    return {
      ended,
      interrupt: () => this.#say({ say: 'interrupt', run }),
      stop: () => this.#say({ say: 'stop', run }),
    };
  }

  /** Goes on with a turn: tells again what the earlier runner may not have told the server. */
  #resume(run: string, { watcher, characters }: { watcher: Watcher; characters: number }): Turn | undefined {
    const held = this.#held.get(run);
    if (held === undefined) return undefined;
    this.#held.delete(run);
    const turn = this.#watch(run, watcher);
    if (held.delivered) watcher.delivered();
    if (held.acknowledged) watcher.acknowledged();
    let known = characters - held.after.characters;
    for (const { stream, text } of held.printed) {
      const rest = text.slice(Math.max(0, known));
      if (rest !== '') watcher.printed(stream, rest);
      known -= text.length;
    }
    if (held.used !== undefined) watcher.used(held.used);
    watcher.works(held.works);
    for (const question of held.asks) this.#ask(run, question);
    if (held.ended !== undefined) this.#runs.get(run)?.settle(held.ended);
    for (const told of this.#early.filter((told) => told.run === run)) this.#takeOf(told);
    this.#early = this.#early.filter((told) => told.run !== run);
    this.#say({ say: 'resumed', run });
    return turn;
  }

  #take(told: FromHolder): void {
    switch (told.say) {
      case 'holds':
      case 'taken':
        break;
      case 'opened':
        this.#opening.get(told.cwd)?.resolve(this.#driver(told.cwd, told));
        break;
      case 'failed': {
        const { code, message, hint } = told;
        const about = { ...(hint !== undefined && { hint }) };
        this.#opening.get(told.cwd)?.reject(new DomainError(isErrorCode(code) ? code : 'internal', message, about));
        break;
      }
      case 'steps':
        this.#heard(told);
        break;
      case 'pids':
        this.#pids.set(told.cwd, told.pids);
        this.#changed();
        break;
      case 'closed':
        this.#pids.delete(told.cwd);
        this.#closing.get(told.cwd)?.();
        break;
      default:
        this.#takeOf(told);
    }
  }

  #takeOf(told: OfRun): void {
    const watched = this.#runs.get(told.run);
    if (watched === undefined) {
      if (this.#held.has(told.run)) this.#early.push(told);
      return;
    }
    const { watcher, settle, asks } = watched;
    if (told.say === 'ended') settle(told.ended);
    else if (told.say === 'printed') watcher.printed(told.stream, told.text);
    else if (told.say === 'used') watcher.used(told.tokens);
    else if (told.say === 'works') watcher.works(told.subagents);
    else if (told.say === 'signalled') watcher.signalled(told.how);
    else if (told.say === 'asks') this.#ask(told.run, told.question);
    else if (told.say === 'withdrew') asks.get(told.ask)?.abort();
    else watcher[told.say]();
  }

  #ask(run: string, question: HeldRun['asks'][number]): void {
    const watched = this.#runs.get(run);
    if (watched === undefined) return;
    const withdrawn = new AbortController();
    watched.asks.set(question.id, withdrawn);
    void watched.watcher.asks(question, withdrawn.signal).then((answer) => {
      watched.asks.delete(question.id);
      if (!withdrawn.signal.aborted) this.#say({ say: 'answer', run, ask: question.id, answer });
    });
  }

  #say(told: ToHolder): void {
    if (!this.#isOver) this.#socket.write(`${JSON.stringify(told)}\n`);
  }

  /** The holder is gone, and cannot end what it held: its runs end when that has. */
  async #lose(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const { reject } of this.#opening.values()) reject(GONE);
    const left = [...this.#pids.values()].flat();
    const about = (pid: number) => ({ graceMs: this.#graceMs, isAlive: () => isGroupAlive(pid) });
    this.#cleared = Promise.all(left.map((pid) => endGroup(pid, about(pid))));
    await this.#cleared;
    for (const { settle } of this.#runs.values()) settle(CRASHED);
    for (const resolve of this.#closing.values()) resolve();
    // The ends of its runs come first.
    setImmediate(() => this.#fail(GONE));
  }
}

const NOTHING = { characters: 0, bytes: 0 };
const GONE = new DomainError('unavailable', 'The program that holds the agent has ended.', {
  hint: 'Start the runner again.',
});
const TAKEN = new DomainError('lock_held', 'Another runner has taken the agent over already.', {
  hint: 'Choose another name with --name, or end that runner.',
});
const CRASHED: Ended = Object.freeze({
  status: 'failed',
  end_reason: 'crashed',
  error: GONE.message,
});
