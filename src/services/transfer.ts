import * as z from 'zod';
import type { Context } from '../context.ts';

const PAGE_SIZE = 500;

/** A whole event as the log keeps it. Only what tells one event from another line is looked at here; SQL checks the rest. */
export const WholeEvent = z.looseObject({
  seq: z.int().min(1),
  id: z.uuid(),
  stream: z.string(),
  version: z.int().min(1),
  event_type: z.string(),
  payload: z.record(z.string(), z.unknown()),
  hash: z.string(),
});
export type WholeEvent = z.infer<typeof WholeEvent>;

type Verified = {
  ok: boolean;
  events: number;
  position: number;
  tables: { table: string; rows: number }[];
  difference?: Record<string, unknown>;
};

/** Recomputes the chain and compares the read model with the log, row by row. */
export function verifyEvents(ctx: Context): Promise<Verified> {
  return ctx.db.call('verify_events', {}, ctx.actor);
}

export function replayEvents(ctx: Context): Promise<{ events: number; tables: string[] }> {
  return ctx.db.call('replay_events', {}, ctx.actor);
}

/** Whole events, oldest first: of a project, or of the workspace. */
export async function* exportEvents(ctx: Context, project: string | undefined): AsyncGenerator<WholeEvent> {
  for (let after: number | undefined = 0; after !== undefined; ) {
    const args = { project, after_seq: after, page_size: PAGE_SIZE };
    const page: { events: WholeEvent[]; next_seq?: number } = await ctx.db.call('export_events', args, ctx.actor);
    yield* page.events;
    after = page.next_seq;
  }
}

/** One page of what was exported. What is there already is skipped. */
export function importEvents(ctx: Context, events: WholeEvent[]): Promise<{ imported: number; skipped: number }> {
  return ctx.db.call('import_events', { events }, ctx.actor);
}
