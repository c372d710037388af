import type { Context } from '../context.ts';
import type { HistoryPage } from '../events/history-file.ts';

const PAGE_SIZE = 500;

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

/** Whole events, oldest first, page by page: of a project, or of the workspace. */
export async function* exportEvents(ctx: Context, project: string | undefined): AsyncGenerator<HistoryPage> {
  for (let after: number | undefined = 0; after !== undefined; ) {
    const args = { project, after_seq: after, page_size: PAGE_SIZE };
    const page: HistoryPage & { next_seq?: number } = await ctx.db.call('export_events', args, ctx.actor);
    yield page;
    after = page.next_seq;
  }
}

type Imported = { imported: number; skipped: number; position: number };

/** One page of what was exported. What is there already is skipped. */
export function importEvents(ctx: Context, { events, users }: HistoryPage): Promise<Imported> {
  return ctx.db.call('import_events', { events, users }, ctx.actor);
}
