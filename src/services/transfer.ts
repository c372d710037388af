import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { HistoryPage } from '../events/history-file.ts';
import { archivedEvents, Wanted } from './archive.ts';

const PAGE_SIZE = 500;

const Verified = z.object({
  ok: z.boolean(),
  events: z.int(),
  position: z.int(),
  tables: z.array(z.object({ table: z.string(), rows: z.int() })),
  difference: z.record(z.string(), z.unknown()).optional(),
});

/** Of the whole workspace. */
export const Everything = z.strictObject({});

/** Recomputes the chain and compares the read model with the log, row by row. */
export const verifyEvents = sqlFunction('verify_events', Verified);

const Replayed = z.object({ events: z.int(), tables: z.array(z.string()) });

export const replayEvents = sqlFunction('replay_events', Replayed);

const ExportPage = z.object({ ...HistoryPage.shape, next_seq: z.int().optional(), archive: Wanted.optional() });

const queryHistory = sqlFunction('export_events', ExportPage);

/** Exports whole events, oldest first, page by page: of a project, or of the workspace. */
export async function* exportEvents(ctx: Context, project: string | undefined): AsyncGenerator<HistoryPage> {
  for (let after: number | undefined = 0; after !== undefined; ) {
    const args = { project, after_seq: after, page_size: PAGE_SIZE };
    const page: z.infer<typeof ExportPage> = await queryHistory(ctx, args);
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

/** `cleaned` of those imported hold data that was made to fit; `left_out` are of another workspace itself. */
const Imported = z.object({
  imported: z.int(),
  skipped: z.int(),
  left_out: z.int(),
  cleaned: z.int(),
  position: z.int(),
});

/** Imports one page of an export. Skips events that are there already. */
export const importEvents = sqlFunction('import_events', Imported);
