import * as z from 'zod';

// Control characters but tab and line feed, halves of a surrogate pair, and characters that reorder what is shown.
const UNCLEAN = /(?![\n\t])\p{Cc}|\p{Cs}|\p{Bidi_Control}/gu;
// White space, and what shows nothing at all or turns the letters around it: controls, formats, fillers (Unicode's default ignorable
// code points, and the Braille blank, which is none of them), halves, and what is for private use.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;
const JSON_DEPTH_MAX = 32;

/** What a project is called; the first part of its tasks' refs. */
export const SLUG = /^[a-z][a-z0-9-]{0,30}$/;

/** Text without what no screen or column should get. */
export function clean(value: string): string {
  return value.replace(UNCLEAN, '');
}

/** A name of the system's, such as a path, on one line: what a screen would act on is spelled out. */
export function escaped(value: string): string {
  return value.replace(/[\n\t]/g, spelled).replace(UNCLEAN, spelled);
}

function spelled(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

/** A name that a stranger chose, on one line: what is left of it can be seen. */
export function visible(value: string): string {
  return value.replace(/\s+/g, ' ').replace(UNSEEN, '').replace(/ +/g, ' ').trim();
}

/** Text of several lines. The length is judged before anything looks at the characters. */
export function text(lengthMax: number) {
  return z.string().max(lengthMax).overwrite(clean);
}

/** One line that says something: white space is folded. */
export function line(lengthMax: number) {
  return z
    .string()
    .max(lengthMax)
    .overwrite((value) => clean(value).replace(/\s+/g, ' ').trim())
    .refine((value) => value !== '', 'must not be empty');
}

/** Text that a person or agent must give. */
export function said(lengthMax: number) {
  return text(lengthMax).refine((value) => /\S/.test(value), 'must not be empty');
}

/** A JSON object of a bounded size and depth, its texts cleaned like any other. */
export function jsonObject(bytesMax: number) {
  return z
    .record(z.string(), z.unknown())
    .refine((value) => !isDeeper(value, JSON_DEPTH_MAX), {
      message: `must not nest deeper than ${JSON_DEPTH_MAX} levels`,
      abort: true,
    })
    .overwrite((value) => cleanJson(value) as Record<string, unknown>)
    .refine(
      (value) => Buffer.byteLength(JSON.stringify(value)) <= bytesMax,
      `must be at most ${bytesMax} bytes of JSON`,
    );
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((item) => isDeeper(item, levels - 1));
}

function cleanJson(value: unknown): unknown {
  if (typeof value === 'string') return clean(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(cleanJson);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [clean(key), cleanJson(item)]));
}
