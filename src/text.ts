import * as z from 'zod';
import { recordOf } from './records.ts';

// Control characters but tab and line feed, halves of a surrogate pair, and characters that reorder what is shown.
const UNCLEAN = /(?![\n\t])\p{Cc}|\p{Cs}|\p{Bidi_Control}/gu;
// In a name, also characters that take no room or look like a space; `app.clean_name` in SQL has the same, and a test
// compares them.
const UNSEEN =
  /(?![\t-\r\u0085])\p{Cc}|\p{Cs}|\p{Default_Ignorable_Code_Point}|[\u2800\uE000-\uF8FF\uFFF9-\uFFFB\u{E0000}-\u{10FFFF}]/gu;
const SPACES = /[\t-\r \u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+/g;
const JSON_DEPTH_MAX = 32;
// Most text is plain and needs no further check.
const PLAIN = /^[\t\n\x20-\x7e]*$/;

/** A ref or an id, as callers write it. */
const REF_CHARACTERS_MAX = 80;

/**
 * The check that SQL makes of a field (`app.validate_field`), where its schema does not tell: `size` is for what a
 * schema cannot say, such as bytes.
 */
export const FIELD_CHECKS = z.registry<{ kind: string; size?: number }>();

/** A project's short name, the first part of its tasks' refs, looks like this. */
export const SLUG_CHARACTERS_MAX = 31;
export const SLUG = new RegExp(`^[a-z][a-z0-9-]{0,${SLUG_CHARACTERS_MAX - 1}}$`);

/** Formats a path within a value: `tasks[0].title`. */
export function pathName(path: readonly PropertyKey[]): string {
  return path
    .map((part, at) => (typeof part === 'number' ? `[${part}]` : `${at > 0 ? '.' : ''}${String(part)}`))
    .join('');
}

/** Returns the first characters of a text, without half a surrogate pair at the end. */
export function firstOf(text: string, charactersMax: number): string {
  return text.slice(0, charactersMax).replace(/[\uD800-\uDBFF]$/, '');
}

/** Removes characters that no screen or column should get. */
export function clean(value: string): string {
  return PLAIN.test(value) ? value : value.replace(UNCLEAN, '');
}

/** Describes the characters that `clean` removes from the text: `2 NUL characters were`; undefined for none. */
export function leftOut(value: string): string | undefined {
  if (PLAIN.test(value)) return undefined;
  const counts = new Map<string, number>();
  for (const { 0: character, index } of value.matchAll(UNCLEAN)) {
    // The line break of some systems is two characters, of which the second stays.
    if (character === '\r' && value[index + 1] === '\n') continue;
    const kind = kindOf(character);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const parts = [...counts].map(([kind, count]) => `${count} ${kind}${count === 1 ? '' : 's'}`);
  return total === 0 ? undefined : `${parts.join(' and ')} ${total === 1 ? 'was' : 'were'}`;
}

function kindOf(character: string): string {
  if (character === '\0') return 'NUL character';
  if (/\p{Cs}/u.test(character)) return 'lone surrogate';
  return /\p{Cc}/u.test(character) ? 'control character' : 'bidirectional control';
}

/** Escapes a name of the system's, such as a path, on one line: spells out characters that a screen would act on. */
export function escaped(value: string): string {
  return value.replace(/[\n\t]/g, spelled).replace(UNCLEAN, spelled);
}

function spelled(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

/** Cleans text on one line. */
export function cleanLine(value: string): string {
  return oneLine(clean(value));
}

/** Folds the white space of text, for a place of one line. */
export function oneLine(value: string): string {
  return value.replace(/\s+/g, ' ').trim();
}

/** Cleans a name on one line: empty if nobody can see it. */
export function cleanName(value: string, lengthMax: number): string {
  const given = [...value.slice(0, 8 * lengthMax)].slice(0, 4 * lengthMax).join('');
  const shown = given.replace(UNSEEN, '').replace(SPACES, ' ').trim();
  return [...shown].slice(0, lengthMax).join('').trim();
}

/** Tells whether anybody can see any of a text. */
function isVisible(value: string): boolean {
  return /[!-~]/.test(value) || value.replace(UNSEEN, '').trim() !== '';
}

/** Text of several lines. Checks the length before anything looks at the characters. */
export function text(lengthMax: number) {
  return z.string().max(lengthMax).overwrite(clean).register(FIELD_CHECKS, { kind: 'text' });
}

/** A word of the server's own, such as a cursor: an empty one counts as missing. */
export function word(lengthMax: number) {
  return z
    .string()
    .max(lengthMax)
    .refine((value) => value !== '', 'must not be empty');
}

/** A line with some content: white space is folded. */
export function line(lengthMax: number) {
  return z
    .string()
    .max(lengthMax)
    .overwrite(cleanLine)
    .refine(isVisible, 'must not be empty')
    .register(FIELD_CHECKS, { kind: 'line' });
}

/** The ref or id of something that SQL finds. */
export function ref(lengthMax = REF_CHARACTERS_MAX) {
  return line(lengthMax).register(FIELD_CHECKS, { kind: 'ref' });
}

/** The same, or an empty text for none. */
export function refOrNone() {
  return text(REF_CHARACTERS_MAX).register(FIELD_CHECKS, { kind: 'ref' });
}

/** A name on one line, of visible characters. */
export function nameLine(lengthMax: number) {
  return z
    .string()
    .max(lengthMax)
    .overwrite((value) => cleanName(value, lengthMax))
    .refine((value) => value !== '', 'must not be empty')
    .register(FIELD_CHECKS, { kind: 'label' });
}

/** Text that a person or agent must give. */
export function said(lengthMax: number) {
  return text(lengthMax).refine(isVisible, 'must not be empty').register(FIELD_CHECKS, { kind: 'said' });
}

/** A JSON object of a bounded size and depth, its texts cleaned like any other. */
export function jsonObject(bytesMax: number) {
  return z
    .record(z.string(), z.unknown())
    .refine((value) => !isDeeper(value, JSON_DEPTH_MAX), {
      message: `must not nest deeper than ${JSON_DEPTH_MAX} levels`,
      abort: true,
    })
    .overwrite((value) => recordOf(cleanJson(value)))
    .refine((value) => isWithin(value, bytesMax), tooLarge(bytesMax))
    .register(FIELD_CHECKS, { kind: 'object', size: bytesMax });
}

/** A list of a bounded size. SQL measures it, and leaves its items to the guard. */
export function jsonList<Item extends z.ZodType>(item: Item, bytesMax: number) {
  return z
    .array(item)
    .refine((value) => isWithin(value, bytesMax), tooLarge(bytesMax))
    .register(FIELD_CHECKS, { kind: 'array', size: bytesMax });
}

/** Measures JSON as PostgreSQL writes it, with a space after each colon and comma. */
function isWithin(value: unknown, bytesMax: number): boolean {
  return Buffer.byteLength(JSON.stringify(value)) + spacesIn(value) <= bytesMax;
}

function spacesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const items = Object.values(value);
  const own = Array.isArray(value) ? items.length - 1 : 2 * items.length - 1;
  return items.reduce<number>((sum, item) => sum + spacesIn(item), Math.max(own, 0));
}

function tooLarge(bytesMax: number): string {
  return `must be at most ${bytesMax} bytes of JSON`;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((item) => isDeeper(item, levels - 1));
}

/** Cleans the keys and texts of a JSON value: returns the same one if it is clean. */
export function cleanJson(value: unknown): unknown {
  if (typeof value === 'string') return clean(value);
  if (typeof value !== 'object' || value === null || isClean(value)) return value;
  if (Array.isArray(value)) return value.map(cleanJson);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [clean(key), cleanJson(item)]));
}

function isClean(value: unknown): boolean {
  if (typeof value === 'string') return clean(value) === value;
  if (typeof value !== 'object' || value === null) return true;
  // Makes no lists of entries: most answers are clean and end here.
  for (const key in value) {
    if (clean(key) !== key || !isClean(value[key as keyof typeof value])) return false;
  }
  return true;
}

/** Ends with one full stop, whether the words had theirs or not. */
export function asSentence(words: string): string {
  return /[.!?]$/.test(words) ? words : `${words}.`;
}
