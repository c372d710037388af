import { firstOf, oneLine } from '../text.ts';
import type { Answer, Question, Watcher } from './driver.ts';
import type { Ended, Limited } from './ended.ts';
import type { Signalled } from './process-group.ts';
import { Tail } from './tail.ts';

/** A text that was given to an agent. It is in the turn from when the agent has taken it up. */
export type Member = {
  /** Settles with the turn that took it up, or when the agent is gone. */
  ended: Promise<Ended | Limited>;
  isInterrupted: boolean;
};

type Kept = Member & { watcher: Watcher; resolve(ended: Ended | Limited): void; isBegun: boolean };

/** The one turn that an agent is in: further texts may join it, and end with it. */
export class SharedTurn {
  #waiting: Kept[] = [];
  #members: Kept[] = [];
  /** The first text of the turn before, until the next one is on its way. */
  #last: Kept | undefined;
  #said = new Tail();
  #over = new AbortController();

  /** Tells whether the agent is at work on a text. */
  get isOpen(): boolean {
    return this.#members.length > 0;
  }

  get said(): string {
    return this.#said.text;
  }

  /** Enters a text that is on its way to the agent. */
  await(watcher: Watcher): Member {
    let resolve: Kept['resolve'] = () => {};
    const ended = new Promise<Ended | Limited>((settle) => {
      resolve = settle;
    });
    const member: Kept = { ended, isInterrupted: false, watcher, resolve, isBegun: false };
    this.#waiting.push(member);
    this.#last = undefined;
    return member;
  }

  /** The agent has taken up the text: what goes on is its turn from now on. */
  join(member: Member): void {
    const found = this.#waiting.find((waiting) => waiting === member);
    if (found === undefined) return;
    if (!this.isOpen) {
      this.#said = new Tail();
      this.#over = new AbortController();
    }
    this.#waiting = this.#waiting.filter((waiting) => waiting !== member);
    this.#members.push(found);
  }

  /** The text has been written to the agent. */
  deliver(member: Member): void {
    [...this.#waiting, ...this.#members].find((given) => given === member)?.watcher.delivered();
  }

  /** The agent gives a sign of work on all texts of the turn. */
  begin(): void {
    for (const member of this.#members) {
      if (!member.isBegun) member.watcher.acknowledged();
      member.isBegun = true;
    }
  }

  /** Of two streams, one may be read after the other has told of the end: what comes between turns is the last one's. */
  print(stream: 'stdout' | 'stderr', text: string): void {
    const [first = this.#waiting[0] ?? this.#last] = this.#members;
    if (text !== '') first?.watcher.printed(stream, text);
  }

  /** Prints words of the agent, which are the result unless it names another. */
  say(text: string): void {
    this.#said.add(text);
    this.print('stdout', text);
  }

  use(tokens: { in: number; out: number }): void {
    this.#members[0]?.watcher.used(tokens);
  }

  /** The process of the agent was told to end, or killed. */
  signalled(how: Signalled): void {
    for (const { watcher } of [...this.#members, ...this.#waiting]) watcher.signalled(how);
  }

  /** Tells what the agent has at work beside itself. */
  works(subagents: readonly string[]): void {
    this.#members[0]?.watcher.works(subagents);
  }

  /** Asks whoever gave the first text; denied where nobody can be asked. Undefined when nobody waits for it any more. */
  async ask(question: Question, withdrawn: AbortSignal): Promise<Answer | undefined> {
    const signal = AbortSignal.any([withdrawn, this.#over.signal]);
    const title = firstOf(oneLine(question.title), 500);
    const asked = this.#members[0]?.watcher.asks({ ...question, title }, signal);
    const answer = await (asked ?? Promise.reject(new Error('Nobody gave a text.'))).catch(() => DENIED);
    return signal.aborted ? undefined : answer;
  }

  /** Settles when no text is in the turn. */
  async free(): Promise<void> {
    const { signal } = this.#over;
    if (this.isOpen) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  }

  /** Ends it for one text alone, which the agent did not take. */
  drop(member: Member, how: Ended | Limited): void {
    const isIt = (other: Kept) => other === member;
    const found = [...this.#members, ...this.#waiting].filter(isIt);
    this.#members = this.#members.filter((other) => !isIt(other));
    this.#waiting = this.#waiting.filter((other) => !isIt(other));
    this.#finish(found, how);
  }

  /** Ends the turn for all its texts. */
  end(how: Ended | Limited): void {
    this.#finish(this.#members.splice(0), how);
  }

  /** The agent is gone, also for those that it has not taken up. */
  endAll(how: Ended | Limited): void {
    this.#finish([...this.#members.splice(0), ...this.#waiting.splice(0)], how);
  }

  #finish(ended: Kept[], how: Ended | Limited): void {
    if (!this.isOpen) this.#over.abort();
    [this.#last = this.#last] = ended;
    // Who interrupts one text of a turn ends it for the others, too.
    const wasCut = how.status !== 'completed' && ended.some(({ isInterrupted }) => isInterrupted);
    for (const { resolve, isInterrupted } of ended) {
      resolve(isInterrupted || wasCut ? { ...INTERRUPTED, result: this.said } : how);
    }
  }
}

export const INTERRUPTED: Ended = Object.freeze({ status: 'cancelled', end_reason: 'interrupted' });
const DENIED: Answer = { decision: 'denied' };
