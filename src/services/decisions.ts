import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { append } from '../events/append.ts';
import { Decision, DecisionRecorded, decisionRecorded } from '../events/decisions.ts';
import { ProjectRef } from '../events/projects.ts';
import { TaskRef } from '../events/tasks.ts';
import { page } from './pagination.ts';
import { showsTasks } from './visible-scopes.ts';

export const RecordDecision = z.strictObject({
  project: ProjectRef.optional(),
  task: TaskRef.optional(),
  ...DecisionRecorded.shape,
});

/** Records a choice and its reason; marks the superseded decision in the same transaction. */
export async function recordDecision(
  ctx: Context,
  { project, task, ...data }: z.output<typeof RecordDecision>,
): Promise<Decision> {
  const about = { project: project ?? ctx.project, task };
  const { events } = await append(ctx, [decisionRecorded(about, data)]);
  return events[0].state;
}

export const ListDecisions = z.strictObject({
  project: ProjectRef.optional(),
  include_superseded: z.boolean().default(false),
  ...page(10, 100),
});

export const DecisionPage = z.object({ decisions: z.array(Decision), next_cursor: z.string().optional() });

const queryDecisions = sqlFunction('list_decisions', DecisionPage);

export async function listDecisions(
  ctx: Context,
  { project, ...input }: z.output<typeof ListDecisions>,
): Promise<z.infer<typeof DecisionPage>> {
  const found = await queryDecisions(ctx, { ...input, project: project ?? ctx.project });
  if (showsTasks(ctx)) return found;
  return { ...found, decisions: found.decisions.map(({ task: _, ...decision }) => decision) };
}
