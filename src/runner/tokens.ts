import { TOKENS_MAX } from '../services/runner.ts';

type Tokens = { in: number; out: number };

/** Keeps what an agent says that it used to what can be counted: a beat with another number would be refused. */
export function countable(tokens: Tokens): Tokens {
  return { in: countOf(tokens.in), out: countOf(tokens.out) };
}

function countOf(given: number): number {
  return Number.isNaN(given) ? 0 : Math.min(Math.max(Math.trunc(given), 0), TOKENS_MAX);
}
