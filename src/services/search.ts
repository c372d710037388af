import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { Unproven } from '../events/task-forms.ts';
import { firstOf, line } from '../text.ts';
import { page } from './pagination.ts';
import { ProjectFilter, projectFilter } from './project-filter.ts';
import { insufficient, showsProjects, showsTasks, TASKS_HIDDEN } from './visible-scopes.ts';

const KINDS = ['task', 'event', 'decision', 'checkpoint', 'artifact', 'project'] as const;
// Events belong to the timeline, which needs the scope of tasks.
const PROJECT_KINDS: readonly string[] = ['decision', 'checkpoint', 'project'] satisfies (typeof KINDS)[number][];

export const Search = z.strictObject({
  query: line(500).describe('At most 32 words, all of which must occur; "a phrase", or and NOT work.'),
  project: ProjectFilter,
  kinds: z.array(z.enum(KINDS)).max(6).optional(),
  ...page(10, 50),
});

export const Hits = z.object({
  hits: z.array(
    z.object({
      kind: z.enum(KINDS),
      id: z.string(),
      ref: z.string().optional(),
      unproven: Unproven,
      title: z.string(),
      snippet: z.string(),
      by: z.string().optional(),
      at: z.string(),
      score: z.number(),
    }),
  ),
  next_cursor: z.string().optional(),
  not_shown: z.string().optional(),
});
type Hits = z.infer<typeof Hits>;

const queryHits = sqlFunction('search', Hits);
const queryRefs = sqlFunction('suggest_refs', z.object({ values: z.array(z.string()) }));

/** Searches all text that the caller may read, best match first. */
export async function search(ctx: Context, { project, ...input }: z.output<typeof Search>): Promise<Hits> {
  const args = { ...input, project: projectFilter(ctx, project) };
  if (showsTasks(ctx)) return queryHits(ctx, args);
  const kinds = (input.kinds ?? PROJECT_KINDS).filter((kind) => PROJECT_KINDS.includes(kind));
  if (kinds.length === 0 && input.kinds?.length !== 0) throw insufficient('tasks:read', 'These kinds');
  const shown = { ...args, kinds: kinds.length === 0 ? PROJECT_KINDS : kinds };
  return { ...(await queryHits(ctx, shown)), not_shown: TASKS_HIDDEN };
}

/** Completes refs, slugs or ids from their beginning. */
export async function suggestRefs(ctx: Context, kind: 'project' | 'task', prefix: string): Promise<string[]> {
  if (!(kind === 'task' ? showsTasks(ctx) : showsProjects(ctx))) return [];
  const args = { kind, prefix: firstOf(prefix, 80) };
  const { values } = await queryRefs(ctx, args);
  return values;
}
