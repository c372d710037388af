import * as z from 'zod';
import type { EventType } from '../../src/events/event-type.ts';
import { FIELD_CHECKS } from '../../src/text.ts';

type Object = Record<string, unknown>;

const SIZES = [31, 50, 80, 100, 200, 300, 500, 1_000, 2_000, 4_000, 10_000, 16_384, 20_000, 40_000, 65_536, 262_144];
const COUNTS = [20, 50, 100, 400, 500];
const around = (sizes: readonly number[]) => sizes.flatMap((size) => [size, size + 1]);
const long = (size: number) => 'x'.repeat(size);
/** An object or a list of this many bytes as PostgreSQL writes it. */
const object = (bytes: number) => ({ a: long(bytes - 9) });

/** Values around every limit that an event type has, and some of each kind. */
const VALUES: readonly unknown[] = [
  ...['', ' ', '\u200b', '\n', 'x', 'x\ny', 'x\ty', '\u0007', 'diff', 'note', 'low'],
  ...around(SIZES).map(long),
  ...[null, true, 'paused', -1, 0, 1, 1.5, 86_400, 86_401, 99_999_999, 999_999_999, 1_000_000_000, 1e16, 1e-16],
  ...around(COUNTS).map((count) => Array(count).fill('x')),
  ...[50, 80, 500, 1_000].flatMap((size) => [[long(size)], [long(size + 1)]]),
  ...[[], [''], [' '], ['x\ny'], ['\u200b'], [5], {}, { a: 1 }],
  ...around([16_384, 65_536, 262_144]).map(object),
  { a: { b: [1, 2, 3], c: long(16_360) } },
  ...[40, 41].map((items) => Array(items).fill(long(996))),
  ...[80, 100].map((items) => Array(items).fill({ criterion: 1, note: long(4_000) })),
  [{ criterion: 1, note: 'x' }],
];

/**
 * The fields of an event type, each with the values that its schema and app.check_data must judge alike, and what the
 * schema makes of them: undefined where it refuses.
 */
export function judged({ data }: EventType): { field: string; value: unknown; parsed: unknown }[] {
  return Object.entries(data.shape).flatMap(([field, schema]) =>
    VALUES.map((value) => ({ field, value, parsed: z.safeParse(schema, value).data })).filter(
      ({ value, parsed }) => !isForLater(kindOf(schema), value, parsed),
    ),
  );
}

/** What SQL decides later: it looks up what a ref names, and no ref is none; guards judge the items of a list. */
function isForLater(kind: string | undefined, value: unknown, parsed: unknown): boolean {
  if (kind === 'ref') return value === null || (typeof value === 'string' && !/^[!-~]+$/.test(value));
  return (kind === 'number' && value === null) || (kind === 'array' && parsed === undefined);
}

function kindOf(schema: z.core.$ZodType): string | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return kindOf(schema.unwrap());
  return FIELD_CHECKS.get(schema)?.kind;
}

/** Data that fits the schema, with the value in the place of a field. */
export function withField({ data }: EventType, field: string, value: unknown): Object {
  const required = Object.entries(data.shape).filter(([, schema]) => schema._zod.optin === undefined);
  const fitting = required.map(([name, schema]) => [
    name,
    VALUES.find((one) => z.safeParse(schema, one).success) ?? z.toJSONSchema(schema).enum?.[0],
  ]);
  return { ...Object.fromEntries(fitting), [field]: value };
}
