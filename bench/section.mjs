// The parts of docs/performance.md that programs write, each between its own markers.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const FILE = fileURLToPath(new URL('../docs/performance.md', import.meta.url));

/** Puts it between `<!-- name:start -->` and `<!-- name:end -->`. @param {string} name @param {string} report */
export async function writeSection(name, report) {
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const [before, rest] = (await readFile(FILE, 'utf8')).split(start);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`${FILE} lacks the markers ${start} and ${end}.`);
  await writeFile(FILE, `${before}${start}\n\n${report}\n\n${end}${after}`);
  return FILE;
}

/** @param {string[]} head @param {string[][]} rows */
export function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}
