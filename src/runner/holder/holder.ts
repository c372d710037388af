import { timingSafeEqual } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { DomainError, messageOf } from '../../errors.ts';
import type { Driver } from '../driver.ts';
import { DRIVERS } from '../drivers/catalog.ts';
import { Gate } from '../gate.ts';
import { eachLine, jsonOf, CHARACTERS_MAX as LINE_CHARACTERS_MAX } from '../lines.ts';
import { HeldSteps } from './held-steps.ts';
import { HeldTurn } from './held-turn.ts';
import { type FromHolder, PROTOCOL, type Start, ToHolder } from './messages.ts';

// Of what a runner has not read yet, and of what a run printed while no runner was there.
const WAITING_MAX = 1_048_576;
const LOOK_MS = 250;
// Of whoever has not shown yet that it is the runner.
const HELLO_CHARACTERS_MAX = 1_000;
const HELLO_MS = 5_000;

type Held = {
  driver: Promise<Driver>;
  opened?: Driver;
  /** Those that were told last. */
  pids: string;
};

/**
 * Owns the processes of an agent, and speaks with them. Its runner may be killed: the agents work on, and the next
 * runner takes them over. Ends them when none comes in time.
 */
export class Holder {
  /** Settles when all that it held has ended. */
  readonly ended: Promise<void>;
  readonly #start: Start;
  readonly #gate = new Gate();
  readonly #server: Server;
  readonly #drivers = new Map<string, Held>();
  readonly #turns = new Map<string, HeldTurn>();
  readonly #looking: NodeJS.Timeout;
  #steps: HeldSteps | undefined;
  #runner: Socket | undefined;
  #alone: NodeJS.Timeout | undefined;
  #settle = () => {};
  #isEnding = false;

  constructor(start: Start) {
    this.#start = start;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#server = createServer((socket) => this.#meet(socket));
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
    this.#wait();
  }

  async listen(): Promise<void> {
    this.#steps = await HeldSteps.of(this.#start.type, (told) => this.#say(told));
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(this.#start.path, () => {
        // One that cannot be let in, as when there are too many, must not end what is held.
        this.#server.off('error', reject).on('error', () => {});
        resolve();
      });
    });
  }

  /** Ends all that it holds. */
  async end(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    clearTimeout(this.#alone);
    // What waits to be read would keep its program from ending in order.
    this.#gate.open();
    await Promise.allSettled([...this.#drivers.keys()].map((cwd) => this.#close(cwd)));
    clearInterval(this.#looking);
    this.#steps?.close();
    this.#server.close();
    this.#runner?.end();
    this.#settle();
  }

  #wait(): void {
    this.#alone = setTimeout(() => void this.end(), this.#start.waitMs);
  }

  #meet(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const isRunner = () => socket === this.#runner;
    const waiting = setTimeout(() => isRunner() || socket.destroy(), HELLO_MS);
    socket.once('close', () => clearTimeout(waiting));
    const take = (line: string) => {
      const { data } = ToHolder.safeParse(jsonOf(line));
      if (isRunner()) {
        if (data !== undefined) void this.#take(data);
      } else if (data?.say !== 'hello' || !this.#provesRunner(data)) socket.destroy();
      else if (this.#runner === undefined) this.#welcome(socket);
      else socket.end(lineOf({ say: 'taken' }));
    };
    eachLine(socket, take, () => (isRunner() ? LINE_CHARACTERS_MAX : HELLO_CHARACTERS_MAX));
  }

  #provesRunner({ secret, protocol }: Extract<ToHolder, { say: 'hello' }>): boolean {
    const [given, wanted] = [Buffer.from(secret), Buffer.from(this.#start.secret)];
    const knows = given.length === wanted.length && timingSafeEqual(given, wanted);
    return knows && protocol === PROTOCOL && !this.#isEnding;
  }

  #welcome(socket: Socket): void {
    this.#runner = socket;
    clearTimeout(this.#alone);
    socket.on('drain', () => this.#flow());
    socket.on('close', () => {
      this.#runner = undefined;
      if (this.#isEnding) return;
      this.#wait();
      this.#flow();
    });
    // What never reached the agent has no end: it is claimed again.
    for (const [run, { isGiven }] of this.#turns) if (!isGiven) this.#turns.delete(run);
    for (const turn of this.#turns.values()) turn.leave();
    this.#say({ say: 'holds', runs: [...this.#turns.values()].map(({ state }) => state) });
    for (const steps of this.#steps?.waiting ?? []) this.#say(steps);
    for (const held of this.#drivers.values()) held.pids = '';
    this.#flow();
  }

  async #take(told: ToHolder): Promise<void> {
    switch (told.say) {
      case 'hello':
        break;
      case 'open':
        await this.#open(told.cwd);
        break;
      case 'keep':
        this.#turnOf(told).kept = told.kept;
        break;
      case 'deliver': {
        // At once: an interrupt may be the next line.
        const driver = this.#drivers.get(told.cwd)?.opened;
        this.#steps?.begin(told.run, told.cwd);
        if (driver !== undefined) this.#turnOf(told).deliver(driver, told.text, told);
        this.#look();
        break;
      }
      case 'stored':
        this.#steps?.settle(told.id);
        break;
      case 'close':
        // What ends waits for nobody who goes on with it.
        for (const turn of this.#turns.values()) if (turn.cwd === told.cwd) turn.resume();
        this.#flow();
        await this.#close(told.cwd);
        this.#say({ say: 'closed', cwd: told.cwd });
        break;
      case 'quit':
        await this.end();
        break;
      default:
        this.#takeOf(told);
    }
  }

  #takeOf(told: Exclude<ToHolder, { say: 'hello' | 'open' | 'keep' | 'deliver' | 'stored' | 'close' | 'quit' }>): void {
    const turn = this.#turns.get(told.run);
    if (told.say === 'forget') {
      turn?.forget();
      this.#turns.delete(told.run);
    } else if (told.say === 'resumed') turn?.resume();
    else if (told.say === 'interrupt') turn?.interrupt();
    else if (told.say === 'stop') turn?.stop();
    else if (told.say === 'answer') turn?.answer(told.ask, told.answer);
    else if (told.say === 'sends') turn?.sends(told.mark);
    else turn?.sent(told.characters);
    this.#flow();
  }

  #turnOf({ run, cwd }: { run: string; cwd: string }): HeldTurn {
    const found = this.#turns.get(run) ?? new HeldTurn(run, { cwd, tell: (told) => this.#tell(told) });
    this.#turns.set(run, found);
    return found;
  }

  async #open(cwd: string): Promise<void> {
    try {
      const { path, modes } = await this.#driverIn(cwd);
      this.#say({ say: 'opened', cwd, path, modes: [...modes] });
    } catch (error) {
      this.#drivers.delete(cwd);
      const { code, hint } = error instanceof DomainError ? error : { code: 'internal', hint: null };
      this.#say({ say: 'failed', cwd, code, message: messageOf(error), ...(hint !== null && { hint }) });
    }
  }

  #driverIn(cwd: string): Promise<Driver> {
    const { driver: name, command, args, env, graceMs, quietMs } = this.#start;
    const program = { command, args, cwd, env, gate: this.#gate };
    const found = this.#drivers.get(cwd);
    if (found !== undefined) return found.driver;
    const reporting = this.#steps?.reporting(program) ?? program;
    const held: Held = { driver: DRIVERS[name]({ program: reporting, graceMs, quietMs }), pids: '' };
    this.#drivers.set(cwd, held);
    return held.driver.then((driver) => {
      held.opened = driver;
      return driver;
    });
  }

  async #close(cwd: string): Promise<void> {
    const held = this.#drivers.get(cwd);
    // One that did not open has nothing to close.
    await held?.driver.then((driver) => driver.close()).catch(() => {});
    this.#drivers.delete(cwd);
  }

  /** Tells of processes that have begun or ended. */
  #look(): void {
    for (const [cwd, held] of this.#drivers) {
      const pids = [...(held.opened?.pids() ?? [])];
      if (pids.join() !== held.pids) this.#say({ say: 'pids', cwd, pids });
      held.pids = pids.join();
    }
  }

  #tell(told: FromHolder): void {
    this.#say(told);
    if (told.say === 'printed') this.#flow();
    else if (told.say === 'ended') this.#steps?.end(told.run);
  }

  #say(told: FromHolder): void {
    // Raises what no line can hold, also while nobody is there: it must not be kept for the next runner.
    const line = lineOf(told);
    this.#runner?.write(line);
  }

  /** Nothing that is printed is lost while nobody reads it, and it does not fill the memory. */
  #flow(): void {
    // A gate that closes again would keep what is told to end from ending.
    if (this.#isEnding) return;
    const { gate, turns, runner } = { gate: this.#gate, turns: [...this.#turns.values()], runner: this.#runner };
    // A runner that waits for its server has gone on with nothing yet, and keeps what it hears meanwhile.
    const hears = runner !== undefined && !turns.some(({ isLeft }) => isLeft);
    const waits = hears ? runner.writableLength : turns.reduce((sum, { waiting }) => sum + waiting, 0);
    // The next runner reads all of it as one line.
    if (hears) for (const turn of turns) turn.cut(WAITING_MAX / turns.length);
    if (waits > WAITING_MAX) gate.close();
    else gate.open();
  }
}

function lineOf(told: FromHolder): string {
  return `${JSON.stringify(told)}\n`;
}
