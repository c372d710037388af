// The answers that sessions got, in their order.
import { table } from '../../bench/section.ts';

const CHARACTERS_MAX = 260;

export class AnswerLog {
  #rows: string[][] = [];
  #started = performance.now();

  /** Restarts the clock: later answers are timed from now. */
  restart(): void {
    this.#started = performance.now();
  }

  get seconds(): number {
    return Math.round((performance.now() - this.#started) / 1_000);
  }

  note(who: string, call: string, { text }: { text: string }): void {
    const begin = text.split('\n').slice(0, 2).join(' ').slice(0, CHARACTERS_MAX);
    this.#rows.push([who, `${this.seconds} s`, call, begin]);
  }

  report(): string {
    return table(['who', 'after', 'call', 'answer'], this.#rows).join('\n');
  }
}

/** The first line of an answer that begins so; empty where none does. */
export function lineOf(text: string, beginning: string): string {
  return text.split('\n').find((line) => line.startsWith(beginning)) ?? '';
}
