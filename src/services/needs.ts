import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { ProjectRef } from '../events/projects.ts';
import { TaskBrief } from '../events/task-forms.ts';
import { insufficient, showsTasks } from './visible-scopes.ts';

/** Tasks that wait for a person: the first of each kind, and their number, up to a thousand. */
const Needs = z.object({
  /** In progress; the holder's session has ended. */
  left: z.array(TaskBrief),
  left_count: z.int(),
  /** A gate on the claim requires a person's approval. */
  unapproved: z.array(TaskBrief),
  unapproved_count: z.int(),
});
export type Needs = z.infer<typeof Needs>;

const queryNeeds = sqlFunction('list_needs', Needs);

export const ListNeeds = z.strictObject({ project: ProjectRef.optional() });

export async function listNeeds(ctx: Context, { project }: z.output<typeof ListNeeds>): Promise<Needs> {
  if (!showsTasks(ctx)) throw insufficient('tasks:read', 'Tasks');
  return queryNeeds(ctx, { project: project ?? ctx.project });
}
