import type { Context } from '../context.ts';
import type { TaskBrief } from '../events/tasks.ts';
import { insufficient, showsTasks } from './visible-scopes.ts';

/** Tasks that wait for a person: the first of each kind, and their number, up to a thousand. */
export type Needs = {
  /** In progress; the holder's session has ended. */
  left: TaskBrief[];
  left_count: number;
  /** A gate requires a person's approval. */
  unapproved: TaskBrief[];
  unapproved_count: number;
};

export async function listNeeds(ctx: Context, { project }: { project?: string }): Promise<Needs> {
  if (!showsTasks(ctx)) throw insufficient('tasks:read', 'Tasks');
  return ctx.db.call('list_needs', { project: project ?? ctx.project }, ctx.actor);
}
