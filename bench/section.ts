// The parts of pages that programs write, each between its own markers.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PACKAGE_ROOT } from '../src/package-root.ts';

/** Puts it between `<!-- name:start -->` and `<!-- name:end -->`. */
export async function writeSection(name: string, report: string, page = 'performance'): Promise<string> {
  const file = fileURLToPath(new URL(`docs/${page}.md`, PACKAGE_ROOT));
  const start = `<!-- ${name}:start -->`;
  const end = `<!-- ${name}:end -->`;
  const [before, rest] = (await readFile(file, 'utf8')).split(start);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`${file} lacks the markers ${start} and ${end}.`);
  await writeFile(file, `${before}${start}\n\n${report}\n\n${end}${after}`);
  return file;
}

export function table(head: string[], rows: string[][]): string[] {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}
