import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { EventRedacted } from '../events/history.ts';
import { ProjectRef } from '../events/projects.ts';
import { TaskBrief } from '../events/task-forms.ts';
import { ref } from '../text.ts';
import { findArchived, Wanted } from './archive.ts';
import { EventBrief } from './events.ts';
import { showsTasks, TASKS_HIDDEN } from './visible-scopes.ts';

export const GetState = z.strictObject({
  project: ProjectRef.optional(),
  seq: z.int().min(0).max(1_000_000_000_000).optional().describe('Position. Default: the latest.'),
  at: z.iso
    .datetime({ offset: true })
    .max(40)
    .optional()
    .describe('Time like 2026-01-31T12:00:00Z, instead of a position.'),
});

export const State = z.object({
  project: z.object({
    slug: z.string(),
    name: z.string(),
    description: z.string().optional(),
    rules: z.record(z.string(), z.unknown()).optional(),
    archived_at: z.string().optional(),
  }),
  position: z.int(),
  counts: z.record(z.string(), z.int()),
  tasks: z.array(
    z.object({
      ref: z.string(),
      title: z.string(),
      status: z.string(),
      priority: z.string(),
      labels: TaskBrief.shape.labels,
      locked_by: z.string().optional(),
      blocked_reason: z.string().optional(),
      unproven: TaskBrief.shape.unproven,
    }),
  ),
  total: z.int(),
  claims: z.string().optional(),
  not_shown: z.string().optional(),
});
type State = z.infer<typeof State>;

const CLAIMS = 'The log does not record when a claim expires: a task shown as held may have been free by then.';

/** Reads a project as it was at a position of the log or at a time. Raises `not_found` if it did not exist then. */
export async function getState(ctx: Context, input: z.output<typeof GetState>): Promise<State> {
  const state = await readState(ctx, input);
  if (!showsTasks(ctx)) return { ...state, tasks: [], not_shown: TASKS_HIDDEN };
  return state.tasks.some(({ locked_by }) => locked_by !== undefined) ? { ...state, claims: CLAIMS } : state;
}

const queryState = sqlFunction('get_state', z.union([State, z.object({ archive: Wanted })]));
const queryStateWithArchive = sqlFunction('get_state', State);

async function readState(ctx: Context, { project, ...input }: z.output<typeof GetState>): Promise<State> {
  const args = { ...input, project: project ?? ctx.project };
  const state = await queryState(ctx, args);
  if (!('archive' in state)) return state;
  const archived = await findArchived(ctx, state.archive, { types: ['project.', 'task.'] });
  return queryStateWithArchive(ctx, { ...args, archived });
}

export const RedactEvent = z.strictObject({
  event: ref().describe('Position (#12) or id.'),
  reason: EventRedacted.shape.reason.describe('Why; it stays on the record.'),
});

/** Blanks an event's text, for good and on the record; the chain still verifies. */
export const redactEvent = sqlFunction('redact_event', EventBrief);
