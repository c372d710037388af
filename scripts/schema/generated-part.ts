const MARKS = /(<!-- Made by `npm run \w+`[^>]*-->\n\n).*?(\n\n<!-- End -->)/s;

/** Puts a table between the marks of a page, in place of the one that is there. */
export function withGenerated(page: string, table: string): string {
  if (!MARKS.test(page)) throw new Error('The page has no marks around a generated part.');
  return page.replace(MARKS, (_, start, end) => `${start}${table}${end}`);
}
