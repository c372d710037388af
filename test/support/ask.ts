import type { Actor, Database } from '../../src/db/database.ts';
import type { FunctionName } from '../../src/db/functions.ts';

/** Calls a SQL function as nothing in src would: with any arguments, and an answer that is as the test says. */
export async function ask<Answer = unknown>(
  { db, actor }: { db: Pick<Database, 'call'>; actor: Actor },
  fn: FunctionName,
  args: object,
): Promise<Answer> {
  return (await db.call(fn, args, actor)) as Answer;
}
