import type { Readable } from 'node:stream';
import * as z from 'zod';
import { DomainError } from '../errors.ts';
import { UPDATE_HINT, VERSION } from '../version.ts';

// A history as JSON Lines: a header; each event whole, oldest first; a user before their first event; records, if they
// were asked for; and an end with the counts, so that a truncated file is detected.

const FORMAT_VERSION = 2;
// Without records, so that a Cairn that knows none reads it.
const FORMAT_VERSION_EVENTS = 1;
const LINE_BYTES_MAX = 8_388_608;
const LINE_FEED = 0x0a;
// A page of events names its users before them; more lines without an event mean that the file is no history.
const LINES_BETWEEN_EVENTS_MAX = 10_000;

/**
 * A whole event as the log keeps it. Only the fields that tell an event from another line are checked here; SQL checks
 * the rest.
 */
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

const User = z.object({ id: z.guid(), name: z.string().min(1).max(200) });
export type User = z.infer<typeof User>;

const Header = z.looseObject({
  format: z.literal('cairn-events'),
  version: z.int().min(1),
  project: z.string().nullish(),
});
type Header = z.infer<typeof Header>;
const UserLine = z.object({ user: User });
const RecordLine = z.strictObject({ record: z.string(), row: z.record(z.string(), z.unknown()) });
// The row as it is written: JavaScript cannot hold every number of it.
const ROW = /^\{"record":"\w+","row":(.+)\}$/s;
const EndLine = z.object({
  end: z.object({ events: z.int().min(0), last_hash: z.string().nullable(), records: z.int().min(0).default(0) }),
});

export type HistoryLine =
  | { number: number; header: Header }
  | { number: number; user: User }
  | { number: number; record: { table: string; row: string }; bytes: number }
  | { number: number; event: WholeEvent; bytes: number };

/** An event from this database, whose fields keep their order. */
const OwnEvent = z.custom<WholeEvent>((event) => WholeEvent.safeParse(event).success);

/** A page of events with the users that they name. */
export const HistoryPage = z.object({
  events: z.array(OwnEvent),
  users: z.array(z.object({ id: z.string(), name: z.string() })),
});
export type HistoryPage = z.infer<typeof HistoryPage>;

type Exported = {
  project?: string | undefined;
  exported_at?: string;
  /** Pages of rows as JSON. */
  records?: AsyncIterable<{ table: string; records: string[] }> | undefined;
};

/** Writes the lines of a history of one project, or of the workspace with the records that are given. */
export async function* historyLines(
  pages: AsyncIterable<HistoryPage>,
  { project, exported_at, records }: Exported = {},
): AsyncGenerator<string> {
  const named = new Set<string>();
  let events = 0;
  let last: WholeEvent | undefined;
  const version = records === undefined ? FORMAT_VERSION_EVENTS : FORMAT_VERSION;
  const header = { format: 'cairn-events', version, cairn: VERSION, project: project ?? null };
  let lines = [JSON.stringify({ ...header, exported_at })];
  for await (const page of pages) {
    for (const user of page.users) {
      if (named.has(user.id)) continue;
      named.add(user.id);
      lines.push(JSON.stringify({ user }));
    }
    for (const event of page.events) lines.push(JSON.stringify(event));
    events += page.events.length;
    last = page.events.at(-1) ?? last;
    if (lines.length === 0) continue;
    yield `${lines.join('\n')}\n`;
    lines = [];
  }
  let rows = 0;
  for await (const { table, records: page } of records ?? []) {
    rows += page.length;
    yield [...lines, ...page.map((row) => `{"record":"${table}","row":${row}}`), ''].join('\n');
    lines = [];
  }
  const counts = { events, last_hash: last?.hash ?? null, ...(records !== undefined && { records: rows }) };
  yield [...lines, JSON.stringify({ end: counts }), ''].join('\n');
}

/** Reads a history, line by line. Raises invalid_input if it was changed, truncated or is something else. */
export async function* readHistory(input: Readable): AsyncGenerator<HistoryLine> {
  let number = 0;
  let events = 0;
  let records = 0;
  let last: WholeEvent | undefined;
  let lastLine = 0;
  let state: 'start' | 'inside' | 'over' = 'start';
  for await (const bytes of readLines(input)) {
    number++;
    if (number - lastLine > LINES_BETWEEN_EVENTS_MAX)
      throw damaged(`There is no event for ${LINES_BETWEEN_EVENTS_MAX} lines up to line ${number}.`);
    const text = bytes.toString().replace(/^\uFEFF/, '');
    if (text.trim() === '') continue;
    const value = parseLine(text, number);
    if (state === 'over') throw damaged(`Line ${number} comes after the end.`);
    if (state === 'start') {
      yield { number, header: readHeader(value, number) };
      state = 'inside';
    } else if (isLine('end', value)) {
      checkEnd(value, { number, events, records, last });
      state = 'over';
    } else if (isLine('record', value)) {
      const { record: table } = readAs(RecordLine, value, number);
      const row = ROW.exec(text.trim())?.[1];
      if (row === undefined) throw damaged(`Line ${number} is not as it was written.`);
      records++;
      lastLine = number;
      yield { number, record: { table, row }, bytes: bytes.length };
    } else if (isLine('user', value)) {
      yield { number, user: readAs(UserLine, value, number).user };
    } else {
      last = readAs(WholeEvent, value, number);
      events++;
      lastLine = number;
      yield { number, event: last, bytes: bytes.length };
    }
  }
  if (state === 'start') throw new DomainError('invalid_input', 'The file is empty.', { hint: 'Export it again.' });
  if (state === 'inside') {
    throw damaged(
      `The file was cut: after line ${number} its last line is missing, which says how many events there are.`,
    );
  }
}

type Read = { number: number; events: number; records: number; last: WholeEvent | undefined };

function checkEnd(value: unknown, read: Read): void {
  const { end } = readAs(EndLine, value, read.number);
  if (end.events !== read.events || end.last_hash !== (read.last?.hash ?? null)) {
    throw damaged(`The file should have ${end.events} events and end with another one; it has ${read.events}.`);
  }
  if (end.records !== read.records) {
    throw damaged(`The file should have ${end.records} records; it has ${read.records}.`);
  }
}

function isLine(kind: 'user' | 'record' | 'end', value: unknown): boolean {
  return typeof value === 'object' && value !== null && kind in value && !('seq' in value);
}

function parseLine(text: string, number: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged(`Line ${number} is not JSON.`);
  }
}

function readHeader(value: unknown, number: number): Header {
  const header = Header.safeParse(value);
  if (!header.success) {
    throw new DomainError('invalid_input', `Line ${number} is not the header of exported events.`, {
      hint: 'Import what `cairn export --all` wrote; its first line says "format":"cairn-events".',
    });
  }
  if (header.data.version > FORMAT_VERSION) {
    const message = `The file has format ${header.data.version}; this cairn reads ${FORMAT_VERSION}.`;
    throw new DomainError('invalid_input', message, { hint: UPDATE_HINT });
  }
  return header.data;
}

function readAs<Schema extends z.ZodType>(schema: Schema, value: unknown, number: number): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw damaged(`Line ${number} is not an event: ${issue?.path.join('.')}: ${issue?.message}.`);
}

function damaged(message: string): DomainError {
  return new DomainError('invalid_input', message, {
    hint: 'The file was changed or is not whole. Export it again; an import goes on where it ended.',
  });
}

/** Reads lines of a bounded length from any file. */
async function* readLines(input: Readable): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  let size = 0;
  const chunks: AsyncIterable<Buffer> = input;
  for await (const chunk of chunks) {
    let from = 0;
    for (let to = chunk.indexOf(LINE_FEED); to !== -1; to = chunk.indexOf(LINE_FEED, from)) {
      yield Buffer.concat([...rest, chunk.subarray(from, to)]);
      [rest, size, from] = [[], 0, to + 1];
    }
    rest.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size > LINE_BYTES_MAX) {
      throw new DomainError('payload_too_large', `A line is longer than ${LINE_BYTES_MAX} bytes.`, {
        hint: 'Import what `cairn export --all` wrote.',
      });
    }
  }
  if (size > 0) yield Buffer.concat(rest);
}
