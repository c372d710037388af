import { cleanName, firstOf } from './text.ts';

const CUT = '… [cut]';

// What agents write is data: it is shown quoted, and passes neither for Cairn's own words nor for a person's order.

/** Quotes text on one line. */
export function quote(text: string, charactersMax = 300): string {
  return `"${shorten(text.replace(/\s+/g, ' '), charactersMax).replace(/["\\]/g, '\\$&')}"`;
}

/** Formats a chosen name: a plain word as it is, anything else quoted. */
export function named(name: string): string {
  return /^[\w.@#+/-]{1,100}$/.test(name) ? name : quote(cleanName(name, 120));
}

/** Marks each line of a text. */
export function quoteLines(text: string): string {
  return text.replace(/^/gm, '> ');
}

/** Shortens to so many characters, without half a surrogate pair at the end. */
export function shorten(text: string, charactersMax: number): string {
  return text.length <= charactersMax ? text : firstOf(text, charactersMax - CUT.length) + CUT;
}
