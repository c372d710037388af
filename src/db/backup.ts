import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import * as z from 'zod';
import { codeOf, DomainError, domainErrorFrom } from '../errors.ts';
import { escaped } from '../text.ts';
import { UPDATE_HINT, VERSION } from '../version.ts';
import { appliedVersions, knowsVersions, lastVersion, migrate } from './schema/migrate.ts';

// A backup is lines: a header; for each table a line of JSON and its rows as COPY writes them, up to `\.`; at the end
// the number of rows and the hash of all lines before. Every value comes back unchanged, on any system and any version
// of PostgreSQL; derived data (indexes, generated columns, functions) is left out.

const FORMAT_VERSION = 1;
const LINE_BYTES_MAX = 268_435_456;
const LINE_FEED = 0x0a;
const END_OF_ROWS = '\\.';

const Header = z.looseObject({
  format: z.literal('cairn-backup'),
  version: z.int().min(1),
  cairn: z.string(),
  schema: z.array(z.string()).min(1),
});
// Of a table of records also the days on which its partitions begin.
const Table = z.object({
  table: z.string(),
  columns: z.array(z.string()).min(1),
  partitions: z.array(z.string().regex(/^\d{8}$/)).optional(),
});
const Trailer = z.object({ tables: z.int(), rows: z.int(), sha256: z.string() });
type Table = z.infer<typeof Table>;

export type BackedUp = { tables: number; rows: number; sha256: string };

const TABLES = `
  select format('%I.%I', n.nspname, c.relname) as table, array_agg(quote_ident(a.attname) order by a.attnum) as columns,
      case when c.relkind = 'p'
        then array(select right(i.inhrelid::regclass::text, 8) from pg_inherits i where i.inhparent = c.oid order by 1)
      end as partitions
    from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
   where n.nspname in ('public', 'app') and c.relkind in ('r', 'p') and not c.relispartition
     and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
   group by c.oid, 1 order by 1`;
// As app.make_partition does, which a restored schema may not have yet.
const MAKE_PARTITIONS = `
  select format('create table %1$s (like %2$s including defaults including constraints including generated);
      revoke all on table %1$s from public, anon, authenticated, service_role;
      alter table %1$s enable row level security;
      alter table %1$s force row level security;
      grant select on table %1$s to cairn_keeper;
      create policy keeper_read on %1$s for select to cairn_keeper using (true);
      alter table %2$s attach partition %1$s for values from (%3$L) to (%4$L)',
    format('app.%I', r.table_name || '_' || day), $1::text, day::timestamp at time zone 'UTC',
    (day::timestamp + ('1 ' || r.period)::interval) at time zone 'UTC') as statements
    from unnest($2::text[]) day join app.record_tables r on format('public.%I', r.table_name) = $1`;

/** Writes everything in the database, as of one moment. Raises unavailable; sets done.sha256 at the end. */
export async function* backup(client: pg.Client, done: BackedUp): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  const said = (value: object | string) => {
    const line = Buffer.from(`${typeof value === 'string' ? value : JSON.stringify(value)}\n`);
    hash.update(line);
    return line;
  };
  try {
    await client.query('begin isolation level repeatable read read only');
    const schema = await appliedVersions(client);
    const made_at = new Date().toISOString();
    yield said({ format: 'cairn-backup', version: FORMAT_VERSION, cairn: VERSION, schema, made_at });
    const { rows: tables } = await client.query<Table>(TABLES);
    for (const { table, columns, partitions } of tables) {
      yield said({ table, columns, ...(partitions && { partitions }) });
      const rows = client.query(copyTo(`copy (select ${columns.join(', ')} from ${table}) to stdout`));
      const chunks: AsyncIterable<Buffer> = rows;
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
      done.rows += rows.rowCount;
      done.tables += 1;
      yield said(END_OF_ROWS);
    }
    await client.query('commit');
    done.sha256 = hash.digest('hex');
    yield Buffer.from(`${JSON.stringify(done)}\n`);
  } catch (error) {
    throw domainErrorFrom(error);
  }
}

/** Reads a backup to its end, so that a bad one is refused before anything is created. Raises invalid_input. */
export async function checkBackup(input: Readable): Promise<BackedUp> {
  const count = async (_: Table, rows: AsyncGenerator<Buffer>) => {
    let found = 0;
    for await (const _row of rows) found += 1;
    return found;
  };
  try {
    return await read(input, { begin: async () => {}, take: count });
  } catch (error) {
    throw translate(error);
  }
}

/** Reads a backup into an empty database and migrates it to the schema of this program. Raises invalid_input. */
export async function restore(client: pg.Client, input: Readable): Promise<BackedUp> {
  const restored = await restoreAsItWas(client, input);
  await migrate(client);
  return restored;
}

/** Creates the tables of a backup and fills them. Raises invalid_input. */
export async function restoreAsItWas(client: pg.Client, input: Readable): Promise<BackedUp> {
  let known: Table[] = [];
  try {
    const restored = await read(input, {
      async begin(schema) {
        await migrate(client, { upTo: schema.at(-1) });
        await client.query('begin');
        // Rows come in the order of their tables, and guards have judged them before.
        await client.query('set local session_replication_role = replica');
        known = (await client.query<Table>(TABLES)).rows;
        await client.query(`truncate ${known.map(({ table }) => table).join(', ')}`);
      },
      async take(table, rows) {
        const fits = known.some((one) => one.table === table.table && `${one.columns}` === `${table.columns}`);
        if (!fits) throw unreadable(`This cairn has no table ${table.table} of these columns`);
        if (table.partitions) await makePartitions(client, table);
        return copyRows(client, table, rows);
      },
    });
    await client.query('commit');
    return restored;
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw translate(error);
  }
}

async function makePartitions(client: pg.Client, { table, partitions = [] }: Table): Promise<void> {
  const { rows } = await client.query<{ statements: string }>(MAKE_PARTITIONS, [table, partitions]);
  for (const { statements } of rows) await client.query(statements);
}

type Reader = {
  /** Receives the schema versions of the backup before the first table. */
  begin: (schema: string[]) => Promise<void>;
  /** Reads the rows of a table and answers with their number. */
  take: (table: Table, rows: AsyncGenerator<Buffer>) => Promise<number>;
};

/** Hands a backup to its reader, table by table, and checks it against its trailer. */
async function read(input: Readable, { begin, take }: Reader): Promise<BackedUp> {
  const hash = createHash('sha256');
  const lines = readLines(input, hash);
  await begin(checkHeader(await nextLine(lines)));
  const found = { tables: 0, rows: 0 };
  for (;;) {
    const line = parse(await nextLine(lines));
    const table = Table.safeParse(line).data;
    if (table === undefined) {
      const backedUp = { ...found, sha256: hash.digest('hex') };
      checkTrailer(line, backedUp);
      return backedUp;
    }
    found.rows += await take(table, rowsOf(lines));
    found.tables += 1;
  }
}

async function* rowsOf(lines: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  for (let line = await nextLine(lines); line.toString() !== END_OF_ROWS; line = await nextLine(lines)) yield line;
}

async function copyRows(client: pg.Client, { table, columns }: Table, rows: AsyncGenerator<Buffer>): Promise<number> {
  const copy = client.query(copyFrom(`copy ${table} (${columns.join(', ')}) from stdin`));
  const end = finished(copy);
  end.catch(() => {});
  try {
    for await (const row of rows) {
      if (!copy.write(Buffer.concat([row, Buffer.of(LINE_FEED)]))) await Promise.race([once(copy, 'drain'), end]);
    }
  } catch (error) {
    copy.destroy();
    throw error;
  }
  copy.end();
  await end;
  return copy.rowCount;
}

/** Returns the backup's schema versions: an earlier state of this program's, or its own. */
function checkHeader(line: Buffer): string[] {
  const header = Header.safeParse(parse(line)).data;
  if (header === undefined) throw unreadable('The file is no backup of cairn');
  if (header.version > FORMAT_VERSION) {
    throw new DomainError(
      'invalid_input',
      `The backup has format ${header.version}; this cairn reads ${FORMAT_VERSION}.`,
      { hint: UPDATE_HINT },
    );
  }
  if (knowsVersions(header.schema)) return header.schema;
  throw new DomainError(
    'invalid_input',
    `The backup was made by cairn ${escaped(header.cairn)} with schema ${escaped(header.schema.at(-1) ?? '')}; this cairn knows schemas up to ${lastVersion()}.`,
    { hint: UPDATE_HINT },
  );
}

function checkTrailer(line: unknown, found: BackedUp): void {
  const trailer = Trailer.safeParse(line).data;
  if (trailer === undefined) throw unreadable('The file is damaged');
  if (trailer.sha256 !== found.sha256 || trailer.rows !== found.rows || trailer.tables !== found.tables) {
    throw unreadable('The file was changed: its hash differs');
  }
}

async function nextLine(lines: AsyncGenerator<Buffer>): Promise<Buffer> {
  const { value, done } = await lines.next();
  if (done) throw unreadable('The file is not whole');
  return value;
}

/** Reads lines without their end; hashes each when the next one is requested. */
async function* readLines(input: Readable, hash: Hash): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let size = 0;
  const chunks: AsyncIterable<Buffer> = input;
  for await (const chunk of chunks) {
    let from = 0;
    for (let to = chunk.indexOf(LINE_FEED); to !== -1; to = chunk.indexOf(LINE_FEED, from)) {
      const line = Buffer.concat([...rest, chunk.subarray(from, to)]);
      [rest, size, from] = [[], 0, to + 1];
      yield line;
      hash.update(line).update('\n');
    }
    rest.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size > LINE_BYTES_MAX) throw unreadable('The file is no backup of cairn');
  }
  if (size > 0) throw unreadable('The file is not whole');
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString());
  } catch {
    return undefined;
  }
}

function unreadable(what: string): DomainError {
  return new DomainError('invalid_input', `${what}. Nothing was restored.`, {
    hint: 'Restore what `cairn db backup` wrote, from another copy if this one is damaged.',
  });
}

/** Tells the file's own faults (gzip's, COPY's) from the server's and the disk's. */
function translate(error: unknown): DomainError {
  const code = codeOf(error);
  if (code.startsWith('Z_'))
    return unreadable(code === 'Z_BUF_ERROR' ? 'The file is not whole' : 'The file is damaged');
  if (/^22|^23/.test(code)) return unreadable('The file is damaged');
  return domainErrorFrom(error);
}
