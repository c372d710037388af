import * as z from 'zod';
import type { Context } from '../context.ts';
import { PrintedText } from '../printed.ts';
import { firstOf } from '../text.ts';
import { idListedBy } from './listed-id.ts';
import { listOutput, OutputPage, PAGE_SIZE, SEQUENCE_MAX, StoredChunk } from './output.ts';

// What an agent is shown leaves room for the rest of an answer.
const SHOWN_CHARACTERS_MAX = 24_000;
const LATEST_CHUNKS = 64;

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
