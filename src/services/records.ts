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
// difference.

const PAGE_SIZE = 5_000;
const FILE_RECORDS = 100_000;

const Row = z.record(z.string(), z.unknown());
export type Row = z.infer<typeof Row>;

const File = z.object({ records: z.int(), location: z.string(), file: z.string(), sha256: z.string() });
const Part = z.object({
  table: z.string(),
  starts_at: z.string(),
  ends_at: z.string(),
  files: z.array(File).optional(),
});
/** A week or a month of a table: in the database, or only in files. */
type Part = z.infer<typeof Part>;
const Due = z.object({ tenant_id: z.string(), table: z.string(), starts_at: z.string(), ends_at: z.string() });
const Expired = z.object({
  tenant_id: z.string(),
  table: z.string(),
  starts_at: z.string(),
  part: z.int(),
  location: z.string(),
  file: z.string(),
});

type Reading = { db: Database; actor: Actor };
type Keeping = Reading & { blobs: OpenBlobStore };

const listParts = sqlFunction('list_record_parts', z.object({ parts: z.array(Part) }));
const readPage = sqlFunction('read_records', z.object({ records: z.array(Row) }));
const findDue = sqlFunction('due_records', z.object({ due: z.array(Due) }));
const keepArchived = sqlFunction('archive_records', z.object({ records: z.int() }));
const findExpired = sqlFunction('expired_record_files', z.object({ files: z.array(Expired) }));
const forgetFile = sqlFunction('forget_record_file', z.object({ forgotten: z.boolean() }));

/** Makes the partitions of the next two months, and drops those whose records are in files or kept no longer. */
export const maintainPartitions = sqlFunction(
  'maintain_partitions',
  z.object({ made: z.array(z.string()), dropped: z.array(z.string()) }),
);

/** Takes rows of a table of records. Skips those that are there. */
export const importRecords = sqlFunction('import_records', z.object({ imported: z.int(), skipped: z.int() }));

/**
 * As nobody: moves the records of every workspace that are old enough to files, each part read back before it counts. Yields what
 * was moved; repeating an interrupted run resumes.
 */
export async function* archiveRecords(
  { db, actor, blobs }: Keeping,
  location: string,
): AsyncGenerator<{ table: string; tenant_id: string; records: number }> {
  const store = await blobs(location);
  const { due } = await findDue({ db, actor }, {});
  for (const { tenant_id, table, starts_at } of due) {
    const reader = { db, actor: { ...actor, tenant_id } };
    const parts: Omit<z.infer<typeof File>, 'location'>[] = [];
    for await (const part of writeFiles(reader, { table, starts_at }, store)) parts.push(part);
    const { records } = await keepArchived(reader, { manifest: { table, starts_at, location: store.location, parts } });
    yield { table, tenant_id, records };
  }
}

/** As nobody: deletes the files whose records are kept no longer; returns how many. */
export async function removeExpiredFiles({ db, actor, blobs }: Keeping): Promise<number> {
  const { files } = await findExpired({ db, actor }, {});
  for (const { tenant_id, table: table_name, starts_at, part, location, file } of files) {
    const store = await blobs(location);
    await store.remove(file);
    await forgetFile({ db, actor: { ...actor, tenant_id } }, { table_name, starts_at, part });
  }
  return files.length;
}

/** Reads a workspace's records of one table, or of all, from the database and from files, a page at a time. */
export async function* readRecords(
  { db, actor, blobs }: Keeping,
  table?: string,
): AsyncGenerator<{ table: string; records: Row[] }> {
  const { parts } = await listParts({ db, actor }, {});
  for (const part of parts) {
    if (table !== undefined && part.table !== table) continue;
    const pages = part.files === undefined ? pagesOf({ db, actor }, part) : archivedPages(blobs, part);
    for await (const records of pages) yield { table: part.table, records };
  }
}

async function* pagesOf(ctx: Reading, { table, starts_at }: Pick<Part, 'table' | 'starts_at'>): AsyncGenerator<Row[]> {
  for (let after: Row | undefined; ; ) {
    const { records } = await readPage(ctx, { table_name: table, starts_at, after, page_size: PAGE_SIZE });
    if (records.length > 0) yield records;
    if (records.length < PAGE_SIZE) return;
    after = records.at(-1);
  }
}

async function* writeFiles(ctx: Reading, part: Pick<Part, 'table' | 'starts_at'>, store: BlobStore) {
  let rows: Row[] = [];
  for await (const page of pagesOf(ctx, part)) {
    rows.push(...page);
    if (rows.length < FILE_RECORDS) continue;
    yield await writeFile(ctx, { ...part, rows }, store);
    rows = [];
  }
  if (rows.length > 0) yield await writeFile(ctx, { ...part, rows }, store);
}

async function writeFile(
  { actor }: Reading,
  { table, starts_at, rows }: Pick<Part, 'table' | 'starts_at'> & { rows: Row[] },
  store: BlobStore,
) {
  const bytes = await buffer(Readable.from(rows.map((row) => `${JSON.stringify(row)}\n`)).pipe(createGzip()));
  const day = starts_at.slice(0, 10);
  const label = `${actor.tenant_id}-${table.replaceAll('_', '-')}-${day}`;
  const { name: file, sha256 } = await store.write({ label, bytes, extension: '.records.jsonl.gz' });
  const written = { records: rows.length, file, sha256 };
  const back = await readFile(store, written);
  if (back.length !== rows.length) throw unreadable(store.location, file);
  return written;
}

async function* archivedPages(blobs: OpenBlobStore, { files = [] }: Part): AsyncGenerator<Row[]> {
  for (const { location, ...file } of files) yield await readFile(await blobs(location), file);
}

async function readFile(store: BlobStore, { file, sha256 }: { file: string; sha256: string }): Promise<Row[]> {
  const bytes = await store.read({ name: file, sha256 });
  try {
    const text = await buffer(Readable.from([bytes]).pipe(createGunzip()));
    return text
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => Row.parse(JSON.parse(line)));
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
