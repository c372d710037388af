import { newId } from '../../events/ids.ts';
import { beginTurn } from '../begin-turn.ts';
import type { Answer, Driver, Mode, Question, Turn, Watcher } from '../driver.ts';
import type { Ended, Limited } from '../ended.ts';
import type { Mark, Printed } from '../output-sender.ts';
import type { FromHolder, HeldRun } from './messages.ts';

type Asked = { question: Question & { id: string }; answer(answer: Answer): void };

/** A run of a driver, with all that a runner must hear of it, also one that comes later. */
export class HeldTurn {
  readonly run: string;
  readonly cwd: string;
  kept: unknown;
  #isForgotten = false;
  /** The next runner has been told of it, and has not gone on with it yet. */
  #isLeft = false;
  readonly #tell: (told: FromHolder) => void;
  #turn: Turn | undefined;
  #delivered = false;
  #acknowledged = false;
  #used: { in: number; out: number } | undefined;
  #works: readonly string[] = [];
  readonly #asks = new Map<string, Asked>();
  #ended: Ended | Limited | undefined;
  #after: Printed = { characters: 0, bytes: 0 };
  #printed: { stream: 'stdout' | 'stderr'; text: string }[] = [];
  #characters = 0;
  #marks: Mark[] = [];

  constructor(run: string, { cwd, tell }: { cwd: string; tell: (told: FromHolder) => void }) {
    this.run = run;
    this.cwd = cwd;
    this.#tell = tell;
  }

  /** Its text was given to the agent; a runner may be killed before that. */
  get isGiven(): boolean {
    return this.#turn !== undefined;
  }

  /** Nobody hears what it prints. */
  get isLeft(): boolean {
    return this.#isLeft && this.#ended === undefined;
  }

  /** Characters that the server does not have. */
  get waiting(): number {
    return this.#characters;
  }

  get state(): HeldRun {
    return {
      ...{ run: this.run, cwd: this.cwd, kept: this.kept, works: [...this.#works] },
      ...{ delivered: this.#delivered, acknowledged: this.#acknowledged },
      ...(this.#used !== undefined && { used: this.#used }),
      ...(this.#ended !== undefined && { ended: this.#ended }),
      asks: [...this.#asks.values()].map(({ question }) => question),
      ...{ after: this.#after, printed: this.#printed, marks: this.#marks },
    };
  }

  /** A run may have several turns, one after the other. */
  deliver(driver: Driver, text: string, { mode, env }: { mode: Mode; env: Record<string, string> }): void {
    [this.#delivered, this.#acknowledged, this.#used, this.#works] = [false, false, undefined, []];
    this.#ended = undefined;
    this.#turn = beginTurn(driver, text, { run: this.run, mode, env, watcher: this.#watcher() });
    void this.#turn.ended.then((ended) => {
      this.#ended = ended;
      this.#tell({ say: 'ended', run: this.run, ended });
    });
  }

  /** Its record is complete: what its agent prints before the next turn is nobody's. */
  forget(): void {
    this.#isForgotten = true;
  }

  leave(): void {
    this.#isLeft = true;
  }

  resume(): void {
    this.#isLeft = false;
  }

  /** Once it has ended, its agent may be at work on what came next. */
  interrupt(): void {
    if (this.#ended === undefined) this.#turn?.interrupt();
  }

  stop(): void {
    if (this.#ended === undefined) this.#turn?.stop();
  }

  answer(ask: string, answer: Answer): void {
    this.#asks.get(ask)?.answer(answer);
  }

  sends(mark: Mark): void {
    this.#marks.push(mark);
  }

  /** The server has what was printed up to so many characters. */
  sent(characters: number): void {
    this.#marks = this.#marks.filter((mark) => mark.characters >= characters);
    this.#drop(characters - this.#after.characters);
  }

  /** Keeps so many characters for a runner that comes later, the last ones. */
  cut(most: number): void {
    this.#drop(this.#characters - Math.floor(most));
  }

  #watcher(): Watcher {
    const { run } = this;
    return {
      delivered: () => {
        this.#delivered = true;
        this.#tell({ say: 'delivered', run });
      },
      acknowledged: () => {
        this.#acknowledged = true;
        this.#tell({ say: 'acknowledged', run });
      },
      printed: (stream, given) => {
        const text = given.replaceAll('\0', '');
        if (text === '' || this.#isForgotten) return;
        this.#printed.push({ stream, text });
        this.#characters += text.length;
        this.#tell({ say: 'printed', run, stream, text });
      },
      used: (tokens) => {
        this.#used = tokens;
        this.#tell({ say: 'used', run, tokens });
      },
      works: (subagents) => {
        this.#works = subagents;
        this.#tell({ say: 'works', run, subagents: [...subagents] });
      },
      signalled: (how) => this.#tell({ say: 'signalled', run, how }),
      asks: (question, signal) => this.#ask({ ...question, id: newId() }, signal),
    };
  }

  #ask(question: Question & { id: string }, signal: AbortSignal): Promise<Answer> {
    const { id } = question;
    return new Promise((resolve) => {
      const settle = (answer: Answer) => {
        this.#asks.delete(id);
        signal.removeEventListener('abort', withdraw);
        resolve(answer);
      };
      const withdraw = () => {
        settle({ decision: 'denied' });
        this.#tell({ say: 'withdrew', run: this.run, ask: id });
      };
      this.#tell({ say: 'asks', run: this.run, question });
      this.#asks.set(id, { question, answer: settle });
      if (signal.aborted) withdraw();
      else signal.addEventListener('abort', withdraw, { once: true });
    });
  }

  #drop(characters: number): void {
    let left = characters;
    while (left > 0) {
      const first = this.#printed[0];
      if (first === undefined) return;
      const dropped = first.text.slice(0, left);
      first.text = first.text.slice(left);
      if (first.text === '') this.#printed.shift();
      const { characters, bytes } = this.#after;
      this.#after = { characters: characters + dropped.length, bytes: bytes + Buffer.byteLength(dropped) };
      left -= dropped.length;
      this.#characters -= dropped.length;
    }
  }
}
