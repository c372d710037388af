import type * as z from 'zod';
import { shorten } from '../quote.ts';
import { recordOf } from '../records.ts';

// About 8,000 tokens: hosts show this much of a result without cutting it.
const RESULT_CHARACTERS_MAX = 32_000;
const EVERYTHING = Number.POSITIVE_INFINITY;
const LIMITS = [
  { characters: 4_000, items: EVERYTHING },
  { characters: 1_000, items: EVERYTHING },
  { characters: 300, items: EVERYTHING },
  { characters: 300, items: 40 },
  { characters: 300, items: 20 },
  { characters: 300, items: 5 },
];
const TEXTS_CUT = 'Long texts were cut to fit: read one item alone (get_task, get_checkpoint) for more.';
const ITEMS_CUT = 'Only the first items fit: ask again with a smaller page_size, or narrow the filters.';

export type Fitted = {
  fitted: Record<string, unknown>;
  notice?: string;
  /** The share of the items that may fit, if cutting texts is not enough. */
  share?: number;
};

/** Returns the result, or with its longest texts, then its lists, cut until it fits, and a sentence that says so. */
export function fitResult(result: Record<string, unknown>): Fitted {
  if (JSON.stringify(result).length <= RESULT_CHARACTERS_MAX) return { fitted: result };
  let whole = Number.POSITIVE_INFINITY;
  for (const limit of LIMITS) {
    const fitted = recordOf(cut(result, limit));
    const size = JSON.stringify(fitted).length;
    if (limit.items === EVERYTHING) whole = size;
    if (size > RESULT_CHARACTERS_MAX && limit !== LIMITS.at(-1)) continue;
    if (limit.items === EVERYTHING) return { fitted, notice: TEXTS_CUT };
    // A caller that went on from the cursor would skip the omitted items.
    delete fitted['next_cursor'];
    return { fitted, notice: ITEMS_CUT, share: RESULT_CHARACTERS_MAX / whole };
  }
  return { fitted: result };
}

/** Leaves out the fields of a row that its reader is not told. */
export function only<Schema extends z.ZodObject>({ shape }: Schema, row: z.output<Schema>): z.output<Schema> {
  return Object.fromEntries(Object.entries(row).filter(([name]) => Object.hasOwn(shape, name))) as z.output<Schema>;
}

export function fitText(text: string): string {
  return text.length <= RESULT_CHARACTERS_MAX ? text : `${shorten(text, RESULT_CHARACTERS_MAX)}\n${TEXTS_CUT}`;
}

function cut(value: unknown, limit: { characters: number; items: number }): unknown {
  if (typeof value === 'string') return shorten(value, limit.characters);
  if (Array.isArray(value)) return value.slice(0, limit.items).map((item) => cut(item, limit));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cut(item, limit)]));
}
