import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGunzip, createGzip } from 'node:zlib';
import * as z from 'zod';
import type { BlobStore } from '../blobs/store.ts';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { DomainError } from '../errors.ts';
import { HistoryPage, historyLines, readHistory, type User, type WholeEvent } from '../events/history-file.ts';
import { escaped } from '../text.ts';

const SEGMENT_EVENTS = 20_000;
const PAGE_EVENTS = 500;

const Plan = z.object({ first_seq: z.int(), last_seq: z.int(), events: z.int() });
type Plan = z.infer<typeof Plan>;
const Archive = Plan.extend({ location: z.string(), file: z.string(), sha256: z.string() });
type Archive = z.infer<typeof Archive>;

/** The range of a page in the archive: `after` and `before` are positions, both excluded. */
export const Wanted = z.object({
  project_id: z.string().nullish(),
  task_id: z.string().nullish(),
  after: z.int(),
  before: z.int(),
  at: z.string().nullish(),
  rising: z.boolean(),
  /** The most events to find; all by default. */
  size: z.int().optional(),
});
export type Wanted = z.infer<typeof Wanted>;

const planArchive = sqlFunction('plan_archive', Plan);
const snapshotEvents = sqlFunction(
  'snapshot_events',
  z.object({ streams: z.array(z.unknown()), chains: z.array(z.unknown()) }),
);
const queryHistory = sqlFunction('export_events', HistoryPage);
const listArchives = sqlFunction('list_archives', z.object({ archives: z.array(Archive) }));
const checkEvents = sqlFunction(
  'check_events',
  z.object({ chains: z.record(z.string(), z.string()), difference: z.record(z.string(), z.unknown()).optional() }),
);

/** The length of an archive's part, in events. */
type Archiving = { before: string; store: BlobStore; segment?: number };

/**
 * Moves events older than a time to files, part by part. Writes each part and reads it back before its events leave the
 * table, so repeating an interrupted run resumes.
 */
export async function* archiveEvents(
  ctx: Context,
  { before, store, segment = SEGMENT_EVENTS }: Archiving,
): AsyncGenerator<Archive> {
  for (;;) {
    const plan = await planArchive(ctx, { before, size: segment });
    if (plan.events <= 0) return;
    yield await archivePart(ctx, plan, store);
  }
}

async function archivePart(ctx: Context, plan: Plan, store: BlobStore): Promise<Archive> {
  let last: WholeEvent | undefined;
  const pages = (async function* () {
    for await (const page of pagesBetween(ctx, plan)) {
      last = page.events.at(-1) ?? last;
      yield page;
    }
  })();
  const bytes = await buffer(Readable.from(historyLines(pages)).pipe(createGzip()));
  const boundary = await snapshotEvents(ctx, { last_seq: plan.last_seq });
  const snapshot = await buffer(
    Readable.from(boundary.streams.map((row) => `${JSON.stringify(row)}\n`)).pipe(createGzip()),
  );
  const label = `${ctx.actor.tenant_id ?? 'workspace'}-${plan.first_seq}-${plan.last_seq}`;
  const { name: file, sha256 } = await store.write({ label, bytes, extension: '.jsonl.gz' });
  const archive = { ...plan, location: store.location, file, sha256 };
  const kept = await store.write({ label, bytes: snapshot, extension: '.snapshot.jsonl.gz' });
  const manifest = { format: 'cairn-archive', version: 1, ...archive, snapshot: kept, chains: boundary.chains };
  await store.write({ label, bytes: Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`), extension: '.json' });

  await readBack(store, archive);
  await ctx.db.call('archive_events', { manifest: { ...archive, last_hash: last?.hash } }, ctx.actor);
  return archive;
}

async function* pagesBetween(ctx: Context, { first_seq, last_seq }: Plan): AsyncGenerator<HistoryPage> {
  for (let after = first_seq - 1; after < last_seq; ) {
    const size = Math.min(PAGE_EVENTS, last_seq - after);
    const page = await queryHistory(ctx, { after_seq: after, page_size: size });
    const end = page.events.at(-1)?.seq;
    if (end === undefined) throw new DomainError('internal', `Events after ${after} are missing.`);
    yield page;
    after = end;
  }
}

/** Reads a written file back as later readers will. */
async function readBack(store: BlobStore, archive: Archive): Promise<void> {
  for await (const _event of readArchive(store, archive));
}

type ArchivedEvent = { event: WholeEvent; users: User[] };

/** Reads the events of one file, oldest first, each with the users named before it. Refuses a changed file. */
async function* readArchive(store: BlobStore, archive: Archive): AsyncGenerator<ArchivedEvent> {
  const bytes = await store.read({ name: archive.file, sha256: archive.sha256 }).catch((cause) => {
    if (cause instanceof DomainError && cause.code !== 'not_found') throw cause;
    throw new DomainError(
      'unavailable',
      `Events ${archive.first_seq} to ${archive.last_seq} are archived, and their file cannot be read.`,
      {
        hint: `Put ${archive.file} back to ${archive.location}, then repeat the call; what is newer can be read without it.`,
        retryable: false,
        cause,
      },
    );
  });
  try {
    yield* readEvents(bytes, archive);
  } catch {
    throw damaged(archive);
  }
}

/** Reads exactly the logged number of events, however much more a file unpacks to. */
async function* readEvents(bytes: Buffer, archive: Plan): AsyncGenerator<ArchivedEvent> {
  let users: User[] = [];
  let expected = archive.first_seq;
  for await (const line of readHistory(Readable.from([bytes]).pipe(createGunzip()))) {
    if ('user' in line) users.push(line.user);
    if (!('event' in line)) continue;
    if (line.event.seq !== expected || expected > archive.last_seq) throw new Error('It has other events.');
    expected++;
    yield { event: line.event, users };
    users = [];
  }
  if (expected !== archive.last_seq + 1) throw new Error('It has fewer events.');
}

function damaged({ file }: Archive): DomainError {
  return new DomainError('unavailable', `The archive file ${escaped(file)} is not as it was written.`, {
    hint: 'Put a whole copy of it back; its hash is in the manifest beside it.',
    retryable: false,
  });
}

/** Reads archived events, oldest first, from their files. */
export async function* archivedEvents(ctx: Context, { after, before }: Pick<Wanted, 'after' | 'before'>) {
  const { archives } = await listArchives(ctx, {});
  for (const archive of archives) {
    if (archive.last_seq <= after || archive.first_seq >= before) continue;
    for await (const found of readArchive(await ctx.blobs(archive.location), archive)) {
      if (found.event.seq > after && found.event.seq < before) yield found;
    }
  }
}

type Filters = { types?: string[] | undefined; kinds?: string[] | undefined };

/** Finds the events of a page: the first or the last ones that match. */
export async function findArchived(ctx: Context, wanted: Wanted, filters: Filters = {}): Promise<WholeEvent[]> {
  const { archives } = await listArchives(ctx, {});
  const size = wanted.size ?? Number.POSITIVE_INFINITY;
  const found: WholeEvent[] = [];
  for (const archive of wanted.rising ? archives : archives.reverse()) {
    if (archive.last_seq <= wanted.after || archive.first_seq >= wanted.before) continue;
    const passing: WholeEvent[] = [];
    for await (const { event } of readArchive(await ctx.blobs(archive.location), archive)) {
      if (isWanted(event, wanted) && passes(event, filters)) passing.push(event);
    }
    found.push(...(wanted.rising ? passing : passing.reverse()));
    if (found.length >= size) break;
  }
  return found.slice(0, size);
}

function isWanted(event: WholeEvent, { project_id, task_id, after, before, at }: Wanted): boolean {
  return (
    event.seq > after &&
    event.seq < before &&
    (project_id == null || event['project_id'] === project_id) &&
    (task_id == null || event['task_id'] === task_id) &&
    (at == null || Date.parse(String(event['created_at'])) <= Date.parse(at))
  );
}

/** Filters as SQL does, which checks again. */
function passes({ event_type, payload }: WholeEvent, { types, kinds }: Filters): boolean {
  const category = `${event_type.split('.')[0]}.`;
  return (
    (types === undefined || types.includes(event_type) || types.includes(category)) &&
    (kinds === undefined || kinds.includes(String(payload['kind'])))
  );
}

type Checked = { events: number; difference?: Record<string, unknown> };

/** Verifies chains, positions and versions through the files up to the start of the table. */
export async function verifyArchives(ctx: Context): Promise<Checked> {
  const versions = new Map<string, number>();
  let chains: Record<string, string> = {};
  let position = 0;
  let page: WholeEvent[] = [];
  async function check(): Promise<Record<string, unknown> | undefined> {
    const checked = await checkEvents(ctx, { events: page, chains });
    [chains, page] = [checked.chains, []];
    return checked.difference;
  }
  for await (const { event } of archivedEvents(ctx, { after: 0, before: Number.MAX_SAFE_INTEGER })) {
    const version = (versions.get(event.stream) ?? 0) + 1;
    const wrong = event.seq !== position + 1 ? 'seq' : event.version !== version ? 'version' : undefined;
    if (wrong !== undefined) return { events: position, difference: { seq: event.seq, stream: event.stream, wrong } };
    versions.set(event.stream, version);
    position = event.seq;
    page.push(event);
    const difference = page.length < PAGE_EVENTS ? undefined : await check();
    if (difference !== undefined) return { events: position, difference };
  }
  const difference = page.length === 0 ? undefined : await check();
  return { events: position, ...(difference !== undefined && { difference }) };
}
