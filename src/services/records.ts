import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGunzip, createGzip } from 'node:zlib';
import * as z from 'zod';
import type { OpenBlobStore } from '../blobs/open.ts';
import type { BlobStore } from '../blobs/store.ts';
import type { Actor, Database } from '../db/database.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { DomainError } from '../errors.ts';

// Records are rows that no event made. Those that are old lie in files, a row a line, gzipped; a reader sees no
// difference. A row stays JSON text, which keeps numbers that JavaScript cannot hold.

const PAGE_SIZE = 5_000;
const FILE_RECORDS = 100_000;
// All of a file is held in memory.
const FILE_CHARACTERS = 67_108_864;

export const ArchivedFile = z.object({ records: z.int(), location: z.string(), file: z.string(), sha256: z.string() });
export type ArchivedFile = z.infer<typeof ArchivedFile>;
const Part = z.object({
  table: z.string(),
  starts_at: z.string(),
  ends_at: z.string(),
  files: z.array(ArchivedFile).optional(),
});
/** A week or a month of a table: in the database, or only in files. */
type Part = z.infer<typeof Part>;
const Due = z.object({ tenant_id: z.string(), table: z.string(), starts_at: z.string(), ends_at: z.string() });
const Removable = z.object({ tenant_id: z.string(), location: z.string(), file: z.string() });

type Reading = { db: Database; actor: Actor };
type Keeping = Reading & { blobs: OpenBlobStore };

const listParts = sqlFunction('list_record_parts', z.object({ parts: z.array(Part) }));
const readPage = sqlFunction(
  'read_records',
  z.object({ records: z.array(z.string()), more: z.boolean().optional(), moved: z.boolean().optional() }),
);
const findDue = sqlFunction('due_records', z.object({ due: z.array(Due) }));
const measure = sqlFunction('measure_records', z.object({ records: z.int(), checksum: z.string() }));
const keepArchived = sqlFunction('archive_records', z.object({ records: z.int() }));
const findRemovable = sqlFunction('record_files_to_remove', z.object({ files: z.array(Removable) }));
const forgetFile = sqlFunction('forget_record_file', z.object({ forgotten: z.boolean() }));
const dropOne = sqlFunction('drop_partition', z.object({ dropped: z.string().optional() }));

/** Makes the partitions of the next two months. */
export const makePartitions = sqlFunction('make_partitions', z.object({ made: z.array(z.string()) }));

/** Refreshes the statistics of the tables of records. */
export const analyzeRecords = sqlFunction('analyze_records', z.object({}));

/** Drops the partitions whose records are in files or kept no longer, each by itself; returns their names. */
export async function dropPartitions(ctx: Reading): Promise<string[]> {
  const dropped: string[] = [];
  for (;;) {
    const { dropped: name } = await dropOne(ctx, {});
    if (name === undefined) return dropped;
    dropped.push(name);
  }
}

/** Takes records as they were read. Skips those that are there. */
export const importRecords = sqlFunction('import_records', z.object({ imported: z.int(), skipped: z.int() }));

/**
 * As the system: moves the records of every workspace that are old enough to files, each part read back before it counts.
 * Yields what was moved; repeating an interrupted run resumes. What fails for one part is raised after the others.
 */
export async function* archiveRecords({ db, actor, blobs }: Keeping, location: string): AsyncGenerator<Archived> {
  const store = await blobs(location);
  const { due } = await findDue({ db, actor }, {});
  const failures: unknown[] = [];
  for (const part of due) {
    try {
      yield await archivePart({ db, actor: { ...actor, tenant_id: part.tenant_id } }, part, store);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

type Archived = { table: string; tenant_id: string; records: number };

async function archivePart(
  reader: Reading,
  { table, tenant_id, starts_at }: z.infer<typeof Due>,
  store: BlobStore,
): Promise<Archived> {
  const { records: found, checksum } = await measure(reader, { table_name: table, starts_at });
  // Another worker was first, and the part is dropped.
  if (found === 0) return { table, tenant_id, records: 0 };
  const parts: Omit<ArchivedFile, 'location'>[] = [];
  for await (const part of writeFiles(reader, { table, starts_at }, store)) parts.push(part);
  const manifest = { table, starts_at, location: store.location, checksum, parts };
  const { records } = await keepArchived(reader, { manifest });
  return { table, tenant_id, records };
}

/** As the system: removes the files that no reader needs, and returns how many. What fails is raised after the others. */
export async function removeFiles({ db, actor, blobs }: Keeping): Promise<number> {
  const { files } = await findRemovable({ db, actor }, {});
  const failures: unknown[] = [];
  for (const { tenant_id, location, file } of files) {
    try {
      await (await blobs(location)).remove(file);
      await forgetFile({ db, actor: { ...actor, tenant_id } }, { location, file });
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return files.length;
}

/** Reads a workspace's records of one table, or of all, from the database and from files: pages of rows as JSON. */
export async function* readRecords(ctx: Keeping, table?: string): AsyncGenerator<{ table: string; records: string[] }> {
  const { parts } = await listParts(ctx, {});
  for (const part of parts) {
    if (table !== undefined && part.table !== table) continue;
    for await (const records of readPart(ctx, part)) yield { table: part.table, records };
  }
}

/** Reads a part from its table, and goes on in its files if it is moved there meanwhile. */
async function* readPart(ctx: Keeping, part: Part): AsyncGenerator<string[]> {
  let seen = 0;
  if (part.files === undefined) {
    for await (const { records, moved } of pagesOf(ctx, part)) {
      if (moved) {
        const { parts } = await listParts(ctx, {});
        const now = parts.find(({ table, starts_at }) => table === part.table && starts_at === part.starts_at);
        if (now !== undefined) yield* readArchived(ctx, now.files, seen);
        return;
      }
      seen += records.length;
      if (records.length > 0) yield records;
    }
  } else yield* readArchived(ctx, part.files, seen);
}

async function* pagesOf(ctx: Reading, { table, starts_at }: Pick<Part, 'table' | 'starts_at'>) {
  for (let after: string | undefined; ; ) {
    const page = await readPage(ctx, { table_name: table, starts_at, after, page_size: PAGE_SIZE });
    yield page;
    if (!page.more) return;
    after = page.records.at(-1);
  }
}

async function* writeFiles(ctx: Reading, part: Pick<Part, 'table' | 'starts_at'>, store: BlobStore) {
  let rows: string[] = [];
  let characters = 0;
  for await (const { records } of pagesOf(ctx, part)) {
    rows.push(...records);
    for (const { length } of records) characters += length;
    if (rows.length < FILE_RECORDS && characters < FILE_CHARACTERS) continue;
    yield await writeFile(ctx, { ...part, rows }, store);
    [rows, characters] = [[], 0];
  }
  if (rows.length > 0) yield await writeFile(ctx, { ...part, rows }, store);
}

async function writeFile(
  { actor }: Reading,
  { table, starts_at, rows }: Pick<Part, 'table' | 'starts_at'> & { rows: string[] },
  store: BlobStore,
) {
  const bytes = await buffer(Readable.from(rows.map((row) => `${row}\n`)).pipe(createGzip()));
  const day = starts_at.slice(0, 10);
  const label = `${actor.tenant_id}-${table.replaceAll('_', '-')}-${day}`;
  const { name: file, sha256 } = await store.write({ label, bytes, extension: '.records.jsonl.gz' });
  const written = { records: rows.length, file, sha256 };
  const back = await readFile(store, written);
  if (back.length !== rows.length) throw unreadable(store.location, file);
  return written;
}

/** Reads files of records, after so many rows, which are in the order of the table's key. */
export async function* readArchived(
  { blobs }: Pick<Keeping, 'blobs'>,
  files: ArchivedFile[] = [],
  skipped = 0,
): AsyncGenerator<string[]> {
  let left = skipped;
  for (const { location, records, ...file } of files) {
    if (left < records) yield (await readFile(await blobs(location), file)).slice(left);
    left = Math.max(0, left - records);
  }
}

async function readFile(store: BlobStore, { file, sha256 }: { file: string; sha256: string }): Promise<string[]> {
  const bytes = await store.read({ name: file, sha256 });
  try {
    const text = await buffer(Readable.from([bytes]).pipe(createGunzip()));
    return text
      .toString()
      .split('\n')
      .filter((line) => line !== '');
  } catch (cause) {
    throw unreadable(store.location, file, cause);
  }
}

function unreadable(location: string, file: string, cause?: unknown): DomainError {
  return new DomainError('unavailable', `The records in ${file} cannot be read.`, {
    hint: `Put a whole copy of it back to ${location}, then repeat the call.`,
    retryable: false,
    cause,
  });
}
