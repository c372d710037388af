import type { Context } from '../../context.ts';
import { eachGiven } from '../each-given.ts';
import type { JsonOption } from '../terminal/output.ts';
import { taskRef } from './refs.ts';

type Deed<Done> = { act(ref: string): Promise<Done>; show(done: Done): string[] };

/** Runs an action on each task and goes on after a refusal; prints each result at once, and fails after any refusal. */
export function eachTask<Done extends object>(
  ctx: Context,
  options: JsonOption & { given: string[] },
  { act, show }: Deed<Done>,
): Promise<void> {
  return eachGiven({ ...options, kind: 'task' }, { act: async (one) => act(await taskRef(ctx, one)), show });
}
