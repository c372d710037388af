import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { PrintedText } from '../printed.ts';
import { firstOf } from '../text.ts';
import { idListedBy } from './listed-id.ts';
import { ArchivedFile, readArchived } from './records.ts';

const CHUNK_BYTES_MAX = 16_384;
const CHUNKS_MAX = 1_000;
const ANSWER_BYTES_MAX = 262_144;
const SEQUENCE_MAX = 2_147_483_646;
const LEFT_OUT_BYTES_MAX = 1_125_899_906_842_624;
const PAGE_SIZE = 100;
// What an agent is shown leaves room for the rest of an answer.
const SHOWN_CHARACTERS_MAX = 24_000;
const LATEST_CHUNKS = 64;

const Sequence = z.int().min(0).max(SEQUENCE_MAX);

const StoredChunk = z.object({
  sequence: z.int(),
  stream: z.enum(['stdout', 'stderr']),
  content: z.string(),
  /** It holds escape codes. */
  ansi: z.boolean(),
  at: z.string(),
});
type StoredChunk = z.infer<typeof StoredChunk>;

/** A piece of what was printed: at most 16 KB, cut between characters. */
export const OutputChunk = z.strictObject({
  /** Counts from 0 in each attempt. */
  sequence: Sequence,
  stream: StoredChunk.shape.stream,
  content: z
    .string()
    .min(1)
    .refine((text) => Buffer.byteLength(text) <= CHUNK_BYTES_MAX, `must be at most ${CHUNK_BYTES_MAX} bytes`),
  /** When it was printed: chosen once, and sent again with each repeat. */
  at: z.iso.datetime({ offset: true }),
  ansi: z.boolean().optional(),
});
export type OutputChunk = z.infer<typeof OutputChunk>;

export const AddOutput = z.strictObject({
  run: z.string(),
  lock_token: z.int().min(1),
  chunks: z.array(OutputChunk).max(CHUNKS_MAX),
  /** What its holder does not send: from where it is to go on, to below a sequence. */
  left_out: z.strictObject({ below: Sequence.min(1), bytes: z.int().min(1).max(LEFT_OUT_BYTES_MAX) }).optional(),
});
/** What a runner sends at once. */
export type SentOutput = Pick<z.infer<typeof AddOutput>, 'chunks' | 'left_out'>;

export const Added = z.object({
  /** Below it nothing is missing: where to go on. */
  next_seq: z.int(),
  stored: z.int(),
  /** What the attempt printed beyond what is kept of a run. */
  dropped_bytes: z.int().optional(),
  /** Asks to keep what is printed next until the end of the attempt, and then to send the last 5 MB of it. */
  full: z.boolean().optional(),
  /** Nothing more is kept until then: its workspace has used up its day. */
  over_quota: z
    .object({ code: z.literal('rate_limited'), allowed_bytes: z.int(), until: z.string(), hint: z.string() })
    .optional(),
  /** Asks to wait before the next call. */
  pause_ms: z.int().optional(),
});
export type Added = z.infer<typeof Added>;

const addChunks = sqlFunction('add_output', Added);

/**
 * Stores what a run's attempt printed, for its runner. A repeat changes nothing. Of text that the database cannot hold,
 * NUL and halves of characters, replacement characters are kept. Raises lock_lost, invalid_input.
 */
export function addOutput(
  ctx: Pick<Context, 'db' | 'actor' | 'verdict'>,
  { chunks, ...held }: z.output<typeof AddOutput>,
) {
  return addChunks(ctx, {
    ...held,
    chunks: chunks.map((chunk) => ({ ...chunk, content: storable(chunk.content) })),
  });
}

// A NUL becomes a character of one byte, so that no chunk outgrows its limit. Half a character takes three bytes in
// UTF-8, as its replacement does.
function storable(text: string): string {
  return text.replaceAll('\0', ' ').replace(/\p{Cs}/gu, '\ufffd');
}

export const SetOutputQuota = z.strictObject({ megabytes: z.int().min(1).max(1_000_000_000) });

/** What each workspace may add to the output of runs in a day. For the user who runs the server. */
export const setOutputQuota = sqlFunction('set_output_quota', z.object({ megabytes: z.int() }));

export const ListOutput = z.strictObject({
  run: idListedBy('list_runs'),
  attempt: z.int().min(1).max(1_000).optional(),
  after_sequence: Sequence.optional(),
  page_size: z.int().min(1).max(CHUNKS_MAX).default(PAGE_SIZE),
});

/** A place of the output that is not kept. */
const LeftOut = z.object({
  from: z.int(),
  /** The sequence that comes after it. */
  below: z.int(),
  bytes: z.int(),
  /** It was more than is kept of a run, or than a workspace may add in a day. */
  why: z.enum(['run', 'day']),
});
type LeftOut = z.infer<typeof LeftOut>;

/** What was left out between two sequences; undefined where nothing was. */
export function leftOutBetween(
  places: readonly LeftOut[] = [],
  { after, below }: { after: number; below: number },
): { bytes: number; why: LeftOut['why'] } | undefined {
  const [first, ...more] = places.filter((place) => place.below > after + 1 && place.from < below);
  return first && { bytes: more.reduce((sum, { bytes }) => sum + bytes, first.bytes), why: first.why };
}

const OutputPage = z.object({
  run: z.string(),
  agent: z.string(),
  attempt: z.int(),
  /** How many attempts there were. */
  attempts: z.int(),
  chunks: z.array(StoredChunk),
  /** There is more after it. */
  next_sequence: z.int().optional(),
  /** Of the attempt's last chunk. */
  last_sequence: z.int().optional(),
  /** No more will come. */
  ended: z.boolean(),
  dropped_bytes: z.int().optional(),
  left_out: z.array(LeftOut).optional(),
  /** Files that hold what was printed long ago. */
  files: z.array(ArchivedFile).optional(),
});
export type OutputPage = Omit<z.infer<typeof OutputPage>, 'files'>;

const listStored = sqlFunction('list_output', OutputPage);

/**
 * What a run's attempt printed, in order, by default the latest attempt: from the database and from files. Each page of
 * an archived run reads all files of its weeks.
 */
export async function listOutput(ctx: Context, asked: z.output<typeof ListOutput>): Promise<OutputPage> {
  const { files, ...page } = await listStored(ctx, asked);
  if (files === undefined) return page;
  const wanted = { ...page, after: asked.after_sequence ?? -1, limit: asked.page_size };
  const archived = await readArchivedChunks(ctx, files, wanted);
  // Beyond the end of what the database answered there may be chunks that it did not.
  const { next_sequence: end = Number.POSITIVE_INFINITY } = page;
  const all = inOrder([...archived, ...page.chunks]);
  const within = firstChunks(
    all.filter(({ sequence }) => sequence <= end),
    asked.page_size,
  );
  const last = within.at(-1)?.sequence;
  const isMore = within.length < all.length || page.next_sequence !== undefined;
  const { next_sequence: _, ...rest } = page;
  return { ...rest, chunks: within, ...(isMore && last !== undefined && { next_sequence: last }) };
}

type Wanted = { run: string; attempt: number; after: number; limit: number };

const Archived = z.object({
  sequence: z.int(),
  stream_type: StoredChunk.shape.stream,
  content: z.string(),
  ansi_codes: z.boolean(),
  timestamp: z.string(),
  attempt: z.int(),
});

/** Reads the first wanted chunks of files, and one more if there is one. */
async function readArchivedChunks(
  ctx: Context,
  files: ArchivedFile[],
  { run, attempt, after, limit }: Wanted,
): Promise<StoredChunk[]> {
  const found: StoredChunk[] = [];
  for await (const rows of readArchived(ctx, files)) {
    for (const row of rows) {
      // The id is in the text of each of its rows, and parsing all others would take most of the time.
      if (!row.includes(run)) continue;
      const chunk = JSON.parse(row);
      if (chunk.run_id !== run || chunk.attempt !== attempt || chunk.sequence <= after) continue;
      const { sequence, stream_type: stream, content, ansi_codes: ansi, timestamp: at } = Archived.parse(chunk);
      found.push({ sequence, stream, content, ansi, at });
    }
    // Files of several weeks may hold an attempt in any order.
    found.splice(0, found.length, ...inOrder(found).slice(0, limit + 1));
  }
  return found;
}

/** Each once: a part that was moved may have left some in the table. */
function inOrder(chunks: StoredChunk[]): StoredChunk[] {
  const sorted = chunks.toSorted((one, other) => one.sequence - other.sequence);
  return sorted.filter(({ sequence }, at) => sequence !== sorted[at - 1]?.sequence);
}

/** The first of them that an answer may have. */
function firstChunks(chunks: StoredChunk[], limit: number): StoredChunk[] {
  let bytes = 0;
  const end = chunks.findIndex(({ content }, at) => {
    bytes += Buffer.byteLength(content);
    return at >= limit || bytes > ANSWER_BYTES_MAX;
  });
  return end === -1 ? chunks : chunks.slice(0, end);
}

export const GetOutput = z.strictObject({
  run: idListedBy('list_runs'),
  attempt: z.int().min(1).max(1_000).optional().describe('Default: the latest.'),
  after_sequence: z
    .int()
    .min(-1)
    .max(SEQUENCE_MAX)
    .optional()
    .describe('Reads on after this piece; -1 reads from the beginning. Default: the latest output.'),
});

const Shown = z.object({
  sequence: z.int(),
  stream: StoredChunk.shape.stream,
  at: z.string(),
  /** Without escape codes. */
  text: z.string(),
});

export const Output = OutputPage.omit({ chunks: true, files: true, last_sequence: true }).extend({
  pieces: z.array(Shown),
  /** Something before them is not shown. */
  earlier: z.boolean().optional(),
});
export type Output = z.infer<typeof Output>;

/** What a run printed, as an agent may read it: as much as fits, the latest or from a place on. */
export async function getOutput(ctx: Context, asked: z.output<typeof GetOutput>): Promise<Output> {
  const { run, attempt, after_sequence: after } = asked;
  const isLatest = after === undefined;
  const start = isLatest ? await latestStart(ctx, { run, attempt }) : after;
  const page = await readPage(ctx, { run, attempt, after: start, isLatest });
  const { chunks, last_sequence: _, next_sequence, ...about } = page;
  const printed = new PrintedText();
  const all = chunks.map(({ sequence, stream, at, content }) => ({ sequence, stream, at, text: printed.add(content) }));
  const pieces = isLatest ? fitting(all.toReversed()).toReversed() : fitting(all);
  const last = pieces.at(-1)?.sequence;
  const isMore = next_sequence !== undefined || last !== all.at(-1)?.sequence;
  return {
    ...about,
    pieces,
    ...((pieces[0]?.sequence ?? 0) > 0 && isLatest && { earlier: true }),
    ...(isMore && last !== undefined && { next_sequence: last }),
  };
}

type Reading = { run: string; attempt: number | undefined };

/** The piece after which the latest output begins. */
async function latestStart(ctx: Context, asked: Reading): Promise<number> {
  const { last_sequence = -1 } = await listOutput(ctx, { ...asked, page_size: 1 });
  return Math.max(-1, last_sequence - LATEST_CHUNKS);
}

/** Reads a page, or all that there is from there. */
async function readPage(ctx: Context, { after, isLatest, ...asked }: Reading & { after: number; isLatest: boolean }) {
  const chunks: StoredChunk[] = [];
  for (let next = after; ; ) {
    const page = await listOutput(ctx, { ...asked, page_size: PAGE_SIZE, ...(next >= 0 && { after_sequence: next }) });
    chunks.push(...page.chunks);
    if (!isLatest || page.next_sequence === undefined) return { ...page, chunks };
    next = page.next_sequence;
  }
}

/** The first pieces that fit, or the beginning of the first. */
function fitting(pieces: z.infer<typeof Shown>[]): z.infer<typeof Shown>[] {
  let size = 0;
  const end = pieces.findIndex((piece) => {
    size += JSON.stringify(piece).length;
    return size > SHOWN_CHARACTERS_MAX;
  });
  const [first] = pieces;
  if (end === 0 && first !== undefined) return [{ ...first, text: firstOf(first.text, SHOWN_CHARACTERS_MAX / 3) }];
  return end === -1 ? pieces : pieces.slice(0, end);
}
