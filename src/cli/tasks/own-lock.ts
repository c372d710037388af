import type { Context } from '../../context.ts';
import type { Task } from '../../events/task-forms.ts';
import { tasks as taskTools } from '../../tools/tasks.ts';
import { perform } from '../local-context.ts';

/**
 * The token with which an agent gives away a task that it holds, from its shell: no shell keeps the one of its claim, so
 * that it takes its own lock again. A person needs none.
 */
export async function ownLock(ctx: Context, { ref, status, locked_by }: Task): Promise<number | undefined> {
  const { agent } = ctx.actor;
  if (typeof agent !== 'string' || status !== 'in_progress' || locked_by !== agent) return undefined;
  const taken = await perform(ctx, taskTools.commands.claim_task, { task: ref, take_over: true, from: agent });
  return taken.task?.lock_token;
}
