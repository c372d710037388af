import * as z from 'zod';
import type { Context } from '../context.ts';
import { line } from '../text.ts';
import { page } from './pages.ts';
import { Reach, reach } from './reach.ts';

const KINDS = ['task', 'event', 'decision', 'checkpoint', 'artifact', 'project'] as const;

export const Search = z.strictObject({
  query: line(500).describe('At most 32 words, all of which must occur; "a phrase", or and -not work.'),
  project: Reach,
  kinds: z.array(z.enum(KINDS)).max(6).optional(),
  ...page(10, 50),
});

export const Hits = z.object({
  hits: z.array(
    z.object({
      kind: z.enum(KINDS),
      id: z.string(),
      ref: z.string().optional(),
      title: z.string(),
      snippet: z.string(),
      by: z.string().optional(),
      at: z.string(),
      score: z.number(),
    }),
  ),
  next_cursor: z.string().optional(),
});

/** Full-text search over everything that was written down, best first. */
export function search(ctx: Context, { project, ...input }: z.output<typeof Search>): Promise<z.infer<typeof Hits>> {
  return ctx.db.call('search', { ...input, project: reach(ctx, project) }, ctx.actor);
}

/** Refs, slugs or ids that begin as given: for completion. */
export async function suggestRefs(ctx: Context, kind: 'project' | 'task', prefix: string): Promise<string[]> {
  const args = { kind, prefix: prefix.slice(0, 80) };
  const { values } = await ctx.db.call<{ values: string[] }>('suggest_refs', args, ctx.actor);
  return values;
}
