import type { Context } from '../context.ts';
import type { TaskBrief } from '../events/tasks.ts';
import { insufficient, showsTasks } from './shown.ts';

/** Tasks that stand still until a person does something: the first of each, and how many there are, up to a thousand. */
export type Needs = {
  /** In progress; the session of whoever holds it has ended. */
  left: TaskBrief[];
  left_count: number;
  /** A gate asks for the approval of a person. */
  unapproved: TaskBrief[];
  unapproved_count: number;
};

export async function listNeeds(ctx: Context, { project }: { project?: string }): Promise<Needs> {
  if (!showsTasks(ctx)) throw insufficient('tasks:read', 'Tasks');
  return ctx.db.call('list_needs', { project: project ?? ctx.project }, ctx.actor);
}
