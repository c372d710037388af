import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { Unproven } from '../events/task-forms.ts';
import { firstOf, line } from '../text.ts';
import { page } from './pagination.ts';
import { ProjectFilter, projectFilter } from './project-filter.ts';
import { insufficient, showsAgents, showsProjects, showsTasks, TASKS_HIDDEN } from './visible-scopes.ts';

const KINDS = ['task', 'event', 'decision', 'checkpoint', 'artifact', 'project', 'report', 'memory', 'output'] as const;
type Kind = (typeof KINDS)[number];
// Events belong to the timeline, which needs the scope of tasks.
const PROJECT_KINDS: readonly Kind[] = ['decision', 'checkpoint', 'project', 'memory'];

export const Search = z.strictObject({
  query: line(500).describe('At most 32 words, all of which must occur; "a phrase", or and NOT work.'),
  project: ProjectFilter,
  kinds: z.array(z.enum(KINDS)).max(9).optional(),
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
      /** The command that prints the whole of it. */
      read_on: z.string().optional(),
    }),
  ),
  next_cursor: z.string().optional(),
  not_shown: z.string().optional(),
});
export type Hits = z.infer<typeof Hits>;

const queryHits = sqlFunction('search', Hits);
const queryRefs = sqlFunction('suggest_refs', z.object({ values: z.array(z.string()) }));

/** Searches all text that the caller may read, best match first. */
export async function search(ctx: Context, { project, ...input }: z.output<typeof Search>): Promise<Hits> {
  const args = { ...input, project: projectFilter(ctx, project) };
  const asked = input.kinds === undefined || input.kinds.length === 0 ? KINDS : input.kinds;
  const kinds = asked.filter((kind) => shows(ctx, kind));
  if (kinds.length === 0) throw insufficient(asked.every(isOfAgents) ? 'agents:read' : 'tasks:read', 'These kinds');
  const hits = await queryHits(ctx, kinds.length === KINDS.length ? args : { ...args, kinds });
  return showsTasks(ctx) ? hits : { ...hits, not_shown: TASKS_HIDDEN };
}

function shows(ctx: Context, kind: Kind): boolean {
  return isOfAgents(kind) ? showsAgents(ctx) : PROJECT_KINDS.includes(kind) || showsTasks(ctx);
}

function isOfAgents(kind: Kind): boolean {
  return kind === 'output' || kind === 'report';
}

/** Completes refs, slugs or ids from their beginning. */
export async function suggestRefs(ctx: Context, kind: 'project' | 'task', prefix: string): Promise<string[]> {
  if (!(kind === 'task' ? showsTasks(ctx) : showsProjects(ctx))) return [];
  const args = { kind, prefix: firstOf(prefix, 80) };
  const { values } = await queryRefs(ctx, args);
  return values;
}
