import type { Config } from '../config.ts';
import { UpdateTask, updateTask } from '../services/tasks.ts';
import { answer, type JsonOption } from './paint.ts';
import { asPerson, parseGiven } from './person.ts';

/** `cairn unblock REF`: a person lets a task be tried again, for one that was given up as often as its project allows. */
export async function runUnblock(
  config: Config,
  task: string,
  options: JsonOption & { reason?: string },
): Promise<void> {
  const input = parseGiven(UpdateTask, { task, reason: options.reason, status: 'unblocked' });
  await asPerson(config, async (ctx) => {
    const { task: unblocked } = await updateTask(ctx, input);
    answer(unblocked, options, ({ ref, title, status }) => [`Unblocked ${ref} "${title}" (${status}).`]);
  });
}
