// Text of others in Markdown: shown as it was written, it makes no heading, list, picture or HTML of its own, and no link but
// those that a page makes of any bare address, name or number, as GitHub does of `https://…`, `@name` and `#12`.

const SPECIAL = /[\\`*[\]<>&|~]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu;
/** What makes a heading, a list, a quotation, a rule or a table where a line begins with it. */
const LINE_START = /^(\d{0,9})([#>+=:.)-])/gm;
const INDENT = /^[ \t]+/gm;

/** Escapes text of several lines. Blanks at the beginning of a line would make it code. */
export function markdownText(text: string): string {
  return text.replace(SPECIAL, '\\$&').replace(INDENT, '').replace(LINE_START, '$1\\$2');
}

/** The same on one line. */
export function markdownLine(text: string): string {
  return markdownText(text.replace(/\s+/g, ' ').trim());
}

/** A block of code, whose fence is longer than any in the text. */
export function markdownCode(text: string): string {
  const ticks = [...text.matchAll(/`+/g)].map(([run]) => run.length);
  const fence = '`'.repeat(Math.max(3, ...ticks.map((length) => length + 1)));
  return `${fence}\n${text}\n${fence}`;
}
