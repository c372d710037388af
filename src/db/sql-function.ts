import type * as z from 'zod';
import { outdated } from '../errors.ts';
import type { Actor, Database } from './database.ts';
import type { Arguments, FunctionName } from './functions.ts';
import type { Verdict } from './verdict.ts';

/** The needed part of a context. */
type Caller = { db: Database; actor: Actor; verdict?: Verdict | undefined };

/** Refuses also the argument names that a spread brings along and the function does not have. */
type Exactly<Fn extends FunctionName, Given> = Given & Record<Exclude<keyof Given, keyof Arguments<Fn>>, never>;

/**
 * Declares a SQL function with the form of its answer, and makes it callable: the compiler checks its arguments, and
 * its answer is parsed here, once.
 */
export function sqlFunction<Fn extends FunctionName, Result extends z.ZodType>(fn: Fn, result: Result) {
  return async function call<Given extends Arguments<Fn>>(
    { db, actor, verdict }: Caller,
    args: Exactly<Fn, Given>,
  ): Promise<z.output<Result>> {
    const calling = db.call(fn, args, actor);
    const answer = await (verdict === undefined ? calling : judged(calling, verdict));
    return parseAnswer(result, answer);
  };
}

async function judged(calling: Promise<unknown>, verdict: Verdict): Promise<unknown> {
  try {
    const answer = await calling;
    verdict.add(true);
    return answer;
  } catch (error) {
    verdict.add(false);
    throw error;
  }
}

/** Parses an answer. One of another form comes from the database of a newer program. */
export function parseAnswer<Result extends z.ZodType>(result: Result, answer: unknown): z.output<Result> {
  const parsed = result.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw outdated(parsed.error);
}
