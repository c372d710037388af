import { countable } from './tokens.ts';

type Tokens = { in: number; out: number };

/** What a run has used, of its turns before this one and of this one. */
export class RunTokens {
  #before: Tokens;
  #used: Tokens = { in: 0, out: 0 };

  constructor(before: Tokens = { in: 0, out: 0 }) {
    this.#before = before;
  }

  get before(): Tokens {
    return this.#before;
  }

  get all(): Tokens {
    return countable({ in: this.#before.in + this.#used.in, out: this.#before.out + this.#used.out });
  }

  get sum(): number {
    return this.all.in + this.all.out;
  }

  /** Counts of this turn so far. */
  use(tokens: Tokens): void {
    this.#used = countable(tokens);
  }

  endTurn(): void {
    this.#before = this.all;
    this.#used = { in: 0, out: 0 };
  }
}
