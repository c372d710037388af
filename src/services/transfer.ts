import type { Context } from '../context.ts';
import type { HistoryPage } from '../events/history-file.ts';
import { archivedEvents, type Wanted } from './archive.ts';

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

/** Exports whole events, oldest first, page by page: of a project, or of the workspace. */
export async function* exportEvents(ctx: Context, project: string | undefined): AsyncGenerator<HistoryPage> {
  for (let after: number | undefined = 0; after !== undefined; ) {
    const args = { project, after_seq: after, page_size: PAGE_SIZE };
    const page: HistoryPage & { next_seq?: number; archive?: Wanted } = await ctx.db.call(
      'export_events',
      args,
      ctx.actor,
    );
    if (page.archive === undefined) yield page;
    else yield* archivedPages(ctx, page.archive);
    after = page.next_seq;
  }
}

async function* archivedPages(ctx: Context, { project_id, ...range }: Wanted): AsyncGenerator<HistoryPage> {
  let page: HistoryPage = { events: [], users: [] };
  for await (const { event, users } of archivedEvents(ctx, range)) {
    page.users.push(...users);
    if (project_id == null || event['project_id'] === project_id) page.events.push(event);
    if (page.events.length < PAGE_SIZE) continue;
    yield page;
    page = { events: [], users: [] };
  }
  yield page;
}

/** `cleaned` of those imported hold data that was made to fit. */
type Imported = { imported: number; skipped: number; cleaned: number; position: number };

/** Imports one page of an export. Skips events that are there already. */
export function importEvents(ctx: Context, { events, users }: HistoryPage): Promise<Imported> {
  return ctx.db.call('import_events', { events, users }, ctx.actor);
}
