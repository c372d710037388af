import { StringDecoder } from 'node:string_decoder';
import { messageOf } from '../errors.ts';
import { eachLine } from './lines.ts';
import { ProcessGroup, type Program, startFailure } from './process-group.ts';
import type { SharedTurn } from './shared-turn.ts';
import { Tail } from './tail.ts';

/** The process of an agent, which stays for all its turns and is started again for the next one when it has ended. */
export class KeptProcess {
  readonly #graceMs: number;
  readonly #turn: SharedTurn;
  #group: ProcessGroup | undefined;
  #ended: Promise<void> = Promise.resolve();
  /** Why it is ended before its time. */
  #failure: string | undefined;

  constructor({ graceMs, turn }: { graceMs: number; turn: SharedTurn }) {
    this.#graceMs = graceMs;
    this.#turn = turn;
  }

  /** The one that is alive. */
  get group(): ProcessGroup | undefined {
    return this.#group;
  }

  /** Starts it. Its end is that of its turn; `gone` hears of it first. */
  start(program: Program, gone: () => void = () => {}): ProcessGroup {
    const group = new ProcessGroup(program, (how) => this.#turn.signalled(how));
    this.#group = group;
    this.#failure = undefined;
    const complained = new Tail();
    const decoder = new StringDecoder('utf8');
    group.child.stderr.on('data', (bytes: Buffer) => {
      const text = decoder.write(bytes);
      complained.add(text);
      this.#turn.print('stderr', text);
    });
    this.#ended = this.#end(group, { complained, gone });
    return group;
  }

  /** Reads what it prints. A line that cannot be handled, whatever an agent writes, fails its turn and nothing else. */
  eachLine(take: (line: string) => void): void {
    if (this.#group === undefined) return;
    eachLine(this.#group.child.stdout, (line) => {
      if (this.#failure !== undefined) return;
      try {
        take(line);
      } catch (error) {
        this.fail(error);
      }
    });
  }

  /** Ends it, which fails its turn: what it goes on with would be watched by nobody. */
  fail(error: unknown): void {
    this.#failure ??= `What the agent said cannot be read: ${messageOf(error)}`;
    this.stop();
  }

  async #end(group: ProcessGroup, { complained, gone }: { complained: Tail; gone: () => void }): Promise<void> {
    const { code, signal, error } = await group.exited;
    await group.gone({ graceMs: this.#graceMs });
    this.#group = undefined;
    gone();
    const failure = error === undefined ? this.#failure : startFailure(error);
    if (failure !== undefined) {
      this.#turn.endAll({ status: 'failed', end_reason: 'error', error: failure });
      return;
    }
    const why = code === null ? `It was ended by ${signal}.` : `It ended with ${code}.`;
    this.#turn.endAll({ status: 'failed', end_reason: 'crashed', error: `${why} ${complained.text}`.trim() });
  }

  /** Writes a line; `written` hears when it is on its way, and nothing where the program does not start. */
  send(line: object, written: () => void = () => {}): void {
    this.#group?.write(`${JSON.stringify(line)}\n`, written);
  }

  stop(): void {
    void this.#group?.stop({ graceMs: this.#graceMs });
  }

  /** Lets it end by itself, for nothing more is to come, then tells it to. */
  async close(): Promise<void> {
    const group = this.#group;
    if (group === undefined) return;
    group.child.stdin.end();
    await group.stop({ graceMs: this.#graceMs });
    await this.#ended;
  }

  pids(): number[] {
    return this.#group?.pid === undefined ? [] : [this.#group.pid];
  }
}
