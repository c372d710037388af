import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { idListedBy } from './listed-id.ts';
import { ArchivedFile, readArchived } from './records.ts';

const CHUNK_BYTES_MAX = 16_384;
const CHUNKS_MAX = 1_000;
const ANSWER_BYTES_MAX = 262_144;
export const SEQUENCE_MAX = 2_147_483_646;
const LEFT_OUT_BYTES_MAX = 1_125_899_906_842_624;
export const PAGE_SIZE = 100;

const Sequence = z.int().min(0).max(SEQUENCE_MAX);

export const StoredChunk = z.object({
  sequence: z.int(),
  stream: z.enum(['stdout', 'stderr']),
  content: z.string(),
  /** It holds escape codes. */
  ansi: z.boolean(),
  at: z.string(),
});
export type StoredChunk = z.infer<typeof StoredChunk>;

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
  left_out: z
    .strictObject({
      below: Sequence.min(1),
      bytes: z.int().min(1).max(LEFT_OUT_BYTES_MAX),
      /** It was more than is kept of a run, unless its runner was killed before it could send it. */
      why: z.enum(['run', 'lost']).optional(),
    })
    .optional(),
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

export const SetOutputSearch = z.strictObject({ enabled: z.boolean().optional() });

/** Whether the workspace's search finds the last that its runs printed; without a value it only answers. */
export const setOutputSearch = sqlFunction('set_output_search', z.object({ enabled: z.boolean() }));

export const ListOutput = z.strictObject({
  run: idListedBy('list_runs'),
  attempt: z.int().min(1).max(1_000).optional(),
  after_sequence: Sequence.optional(),
  /** Only so much of its end; not after a piece. */
  last_bytes: z.int().min(CHUNK_BYTES_MAX).max(ANSWER_BYTES_MAX).optional(),
  page_size: z.int().min(1).max(CHUNKS_MAX).default(PAGE_SIZE),
});

/** A place of the output that is not kept. */
const LeftOut = z.object({
  from: z.int(),
  /** The sequence that comes after it. */
  below: z.int(),
  bytes: z.int(),
  /** It was more than is kept of a run, or than a workspace may add in a day, or was lost with its runner. */
  why: z.enum(['run', 'day', 'lost']),
});
export type LeftOut = z.infer<typeof LeftOut>;

export const OutputPage = z.object({
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
  const { after_sequence, last_bytes } = asked;
  const isEnd = last_bytes !== undefined && after_sequence === undefined;
  const first = isEnd ? (page.last_sequence ?? 0) - asked.page_size : -1;
  const wanted = { ...page, after: after_sequence ?? first, limit: asked.page_size };
  const archived = await readArchivedChunks(ctx, files, wanted);
  if (isEnd)
    return { ...page, chunks: lastChunks(inOrder([...archived, ...page.chunks]), last_bytes).slice(-asked.page_size) };
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

/** The last of them that are of so many bytes. */
function lastChunks(chunks: StoredChunk[], bytesMax: number): StoredChunk[] {
  let bytes = 0;
  const start = chunks.findLastIndex(({ content }) => {
    bytes += Buffer.byteLength(content);
    return bytes > bytesMax;
  });
  return chunks.slice(start + 1);
}
