import * as z from 'zod';
import type { Context } from '../../src/context.ts';
import { sqlFunction } from '../../src/db/sql-function.ts';
import type { ListDecisions } from '../../src/services/decisions.ts';

// No test: `npm run typecheck` holds that a wrong name or type in a call of a SQL function is an error of the compiler.

const listDecisions = sqlFunction('list_decisions', z.object({ decisions: z.array(z.object({ title: z.string() })) }));

export async function rightly(ctx: Context): Promise<string[]> {
  const { decisions } = await listDecisions(ctx, { project: undefined, page_size: 5 });
  return decisions.map(({ title }) => title);
}

export async function wrongly(ctx: Context, input: z.output<typeof ListDecisions> & { task?: string }): Promise<void> {
  // @ts-expect-error: SQL has no such function
  sqlFunction('list_wishes', z.object({}));
  // @ts-expect-error: the function has no such argument
  await listDecisions(ctx, { projekt: 'web' });
  // @ts-expect-error: nor when a spread brings it along
  await listDecisions(ctx, { ...input });
  // @ts-expect-error: the argument is a number
  await listDecisions(ctx, { page_size: '5' });
  // @ts-expect-error: the argument is missing
  await sqlFunction('get_task', z.object({}))(ctx, {});
  // @ts-expect-error: the actor is the context's
  await listDecisions(ctx, { actor: ctx.actor });
  // @ts-expect-error: the answer has no such field
  (await listDecisions(ctx, {})).decision;
  // @ts-expect-error: nor have its items
  (await listDecisions(ctx, {})).decisions[0]?.name;
  // @ts-expect-error: an answer that nobody has parsed has no fields
  (await ctx.db.call('list_decisions', {}, ctx.actor)).decisions;
  // @ts-expect-error: nobody chooses its type
  const answer: { decisions: object[] } = await ctx.db.call('list_decisions', {}, ctx.actor);
  // @ts-expect-error: the port itself checks arguments too
  await ctx.db.call('list_decisions', { projekt: answer }, ctx.actor);
}
