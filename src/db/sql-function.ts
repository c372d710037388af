import type * as z from 'zod';
import { outdated } from '../errors.ts';
import type { Actor, Database } from './database.ts';
import type { Arguments, FunctionName } from './functions.ts';

/** The needed part of a context. */
type Caller = { db: Database; actor: Actor };

/** Refuses also the argument names that a spread brings along and the function does not have. */
type Exactly<Fn extends FunctionName, Given> = Given & Record<Exclude<keyof Given, keyof Arguments<Fn>>, never>;

/**
 * Declares a SQL function with the form of its answer, and makes it callable: the compiler checks its arguments, and
 * its answer is parsed here, once.
 */
export function sqlFunction<Fn extends FunctionName, Result extends z.ZodType>(fn: Fn, result: Result) {
  return async function call<Given extends Arguments<Fn>>(
    { db, actor }: Caller,
    args: Exactly<Fn, Given>,
  ): Promise<z.output<Result>> {
    return parseAnswer(result, await db.call(fn, args, actor));
  };
}

/** Parses an answer. One of another form comes from the database of a newer program. */
export function parseAnswer<Result extends z.ZodType>(result: Result, answer: unknown): z.output<Result> {
  const parsed = result.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw outdated(parsed.error);
}
