import type { IPty } from '@lydell/node-pty';
import { DomainError } from '../../errors.ts';
import { clean, oneLine } from '../../text.ts';
import type { Driver, Turn, Watcher } from '../driver.ts';
import type { Ended } from '../ended.ts';
import { endGroup, isGroupAlive, type Program, type Signalled } from '../process-group.ts';
import { type Member, SharedTurn } from '../shared-turn.ts';
import { endStrays, newMark } from '../strays.ts';

type Options = {
  program: Program;
  graceMs: number;
  /** A terminal that has been quiet for so long waits for the next text. */
  quietMs?: number;
};
type Terminals = { spawn(file: string, args: string[], options: object): IPty };

// Named apart from its import: the bundle leaves it out, and a person installs it.
const PACKAGE: string = '@lydell/node-pty';
const SIZE = { cols: 120, rows: 40 };
const QUIET_MS = 5_000;
/** A program that starts, or that was interrupted, is waited for no longer than this once it is quiet. */
const SETTLED_MS = 1_000;
const START_MS = 10_000;
/** Terminal programs take what comes at once for a paste, in which Enter is a line break. */
const ENTER_MS = 100;
const CTRL_C = '\u0003';
const PASTE = { on: '\u001b[?2004h', off: '\u001b[?2004l', begin: '\u001b[200~', end: '\u001b[201~' };

/** Drives a program as a person at a terminal does: types the text, and waits until the screen is quiet. */
export async function ptyDriver(options: Options): Promise<Driver> {
  const session = new Terminal(options, await terminals());
  return {
    path: 'typed into a terminal',
    modes: ['turn', 'interrupt'],
    open: async () => {},
    deliver: (text, how) => session.deliver(text, how),
    close: () => session.close(),
    pids: () => session.pids(),
  };
}

async function terminals(): Promise<Terminals> {
  try {
    const found: { default: Terminals } = await import(PACKAGE);
    return found.default;
  } catch (cause) {
    throw new DomainError('unavailable', `The driver pty needs the package ${PACKAGE}, which is not installed.`, {
      hint: `Run \`npm install --global ${PACKAGE}\`, or install it beside Cairn.`,
      cause,
    });
  }
}

class Terminal {
  readonly #options: Required<Options>;
  readonly #terminals: Terminals;
  readonly #turn = new SharedTurn();
  #pty: IPty | undefined;
  #marked = newMark();
  #printedAt = 0;
  #takesPastes = false;
  /** A text has been typed: what the screen shows now is a sign of work on it. */
  #isTyped = false;
  #isEnding = false;

  constructor(options: Options, found: Terminals) {
    this.#options = { quietMs: QUIET_MS, ...options };
    this.#terminals = found;
  }

  deliver(text: string, { watcher, env }: { watcher: Watcher; env: Record<string, string> }): Turn {
    const isNew = this.#pty === undefined;
    const pty = this.#pty ?? this.#start(env);
    const member = this.#turn.await(watcher);
    this.#turn.join(member);
    void this.#type(text, { pty, member, isNew });
    return {
      ended: member.ended,
      interrupt: () => {
        member.isInterrupted = true;
        pty.write(CTRL_C);
        this.#printedAt = performance.now();
      },
      stop: () => void this.#stop(pty),
    };
  }

  async close(): Promise<void> {
    if (this.#pty !== undefined) await this.#stop(this.#pty);
  }

  pids(): number[] {
    return this.#pty === undefined ? [] : [this.#pty.pid];
  }

  #start(env: Record<string, string>): IPty {
    const { command, args, cwd, env: own, gate } = this.#options.program;
    this.#marked = newMark();
    const pty = this.#terminals.spawn(command, [...args], {
      ...SIZE,
      cwd,
      name: 'xterm-256color',
      env: { ...own, ...env, ...this.#marked.env },
    });
    this.#pty = pty;
    gate?.add(pty);
    this.#takesPastes = false;
    this.#isEnding = false;
    // It is ready once it has printed something; one that prints nothing has so long.
    this.#printedAt = performance.now() + START_MS;
    pty.onData((text) => {
      this.#printedAt = performance.now();
      const [on, off] = [text.lastIndexOf(PASTE.on), text.lastIndexOf(PASTE.off)];
      if (on !== off) this.#takesPastes = on > off;
      if (this.#isTyped) this.#turn.begin();
      this.#turn.say(text);
    });
    pty.onExit(({ exitCode, signal }) => void this.#end(pty, { exitCode, signal }));
    return pty;
  }

  async #type(text: string, { pty, member, isNew }: { pty: IPty; member: Member; isNew: boolean }): Promise<void> {
    // A program that has ended, or is about to, is told of by its exit.
    const isOver = () => this.#pty !== pty || this.#isEnding || !this.#turn.isOpen;
    const { quietMs } = this.#options;
    const settledMs = Math.min(quietMs, SETTLED_MS);
    this.#isTyped = false;
    if (isNew) await this.#quiet(() => settledMs, isOver);
    if (isOver()) return;
    if (!member.isInterrupted) {
      pty.write(this.#keysOf(text));
      await wait(ENTER_MS);
      pty.write('\r');
      this.#isTyped = true;
      this.#turn.deliver(member);
      this.#printedAt = performance.now();
    }
    await this.#quiet(() => (member.isInterrupted ? settledMs : quietMs), isOver);
    if (isOver()) return;
    this.#turn.end({ status: 'completed', end_reason: 'completed', result: this.#turn.said });
  }

  /** Without the keys that a text could hold: it is typed, and nothing but Enter is pressed. */
  #keysOf(text: string): string {
    const typed = clean(text).trim();
    return this.#takesPastes ? `${PASTE.begin}${typed}${PASTE.end}` : oneLine(typed);
  }

  async #quiet(forMs: () => number, isOver: () => boolean): Promise<void> {
    const { gate } = this.#options.program;
    for (;;) {
      if (gate?.isClosed) {
        // Whatever its screen shows meanwhile is seen later.
        await gate.opened;
        this.#printedAt = Math.max(this.#printedAt, performance.now());
      }
      const left = this.#printedAt + forMs() - performance.now();
      if (left <= 0 || isOver()) return;
      // An interrupt shortens it meanwhile.
      await wait(Math.min(left, SETTLED_MS / 4));
    }
  }

  async #stop(pty: IPty): Promise<void> {
    this.#isEnding = true;
    const { graceMs } = this.#options;
    const { mark } = this.#marked;
    const signalled = (how: Signalled) => this.#turn.signalled(how);
    await endGroup(pty.pid, { graceMs, isAlive: () => isGroupAlive(pty.pid), signalled });
    await endStrays(mark, { graceMs });
  }

  async #end(pty: IPty, { exitCode, signal = 0 }: { exitCode: number; signal?: number | undefined }): Promise<void> {
    await this.#stop(pty);
    this.#options.program.gate?.remove(pty);
    this.#pty = undefined;
    const result = this.#turn.said;
    const why = signal === 0 ? `It ended with ${exitCode}.` : `It was ended by signal ${signal}.`;
    const ended: Ended =
      exitCode === 0 && signal === 0
        ? { status: 'completed', end_reason: 'completed', result }
        : { status: 'failed', end_reason: 'crashed', error: why, result };
    this.#turn.endAll(ended);
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
