// The parts of pages that programs write, each between its own markers.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Puts it between `<!-- name:start -->` and `<!-- name:end -->`. @param {string} name @param {string} report @param {string} page */
export async function writeSection(name, report, page = 'performance') {
  const file = fileURLToPath(new URL(`../docs/${page}.md`, import.meta.url));
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const [before, rest] = (await readFile(file, 'utf8')).split(start);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`${file} lacks the markers ${start} and ${end}.`);
  await writeFile(file, `${before}${start}\n\n${report}\n\n${end}${after}`);
  return file;
}

/** @param {string[]} head @param {string[][]} rows */
export function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}
