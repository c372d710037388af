import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The folder in which mutants of SQL are looked for: they name no file, because functions move between chapters. */
export const SQL = 'supabase';

const FOLDERS = ['code', 'migrations'];
// Matches from the head of a function to the end of its body: text between dollars, or an expression of the SQL
// standard.
const DEFINITION =
  /^create (?:or replace )?function ([\w.]+)\([\s\S]*?(?:\bas (\$\w*\$)[\s\S]*?\2[^;]*|^\s*return [^;]*|^begin atomic[\s\S]*?^end);/gm;
const REFUSAL = /perform app\.(?:fail|bad_rule|refuse_\w+)\((?:'(?:[^']|'')*'|[^';])*;/g;
// All code in one file, made of the others.
const GENERATED = /_code\.sql$/;

export type SqlFile = { file: string; source: string };

/** A piece of a file. `within` names the function around it, if any. */
export type Place = { file: string; from: number; to: number; text: string; within?: string };

export async function readSql(root: string): Promise<SqlFile[]> {
  const files = await Promise.all(
    FOLDERS.map(async (folder) => (await readdir(join(root, SQL, folder))).map((name) => `${SQL}/${folder}/${name}`)),
  );
  return Promise.all(
    files
      .flat()
      .filter((file) => file.endsWith('.sql') && !GENERATED.test(file))
      .sort()
      .map(async (file) => ({ file, source: await readFile(join(root, file), 'utf8') })),
  );
}

/** The one place that a mutant takes out. Throws when there is none, or when there are several. */
export function placeOf(
  files: SqlFile[],
  { find, within, isRefusal = false }: { find: string; within?: string; isRefusal?: boolean },
): Place {
  const all = isRefusal
    ? matches(files, REFUSAL).filter(({ text }) => unwrapped(text).includes(find))
    : matches(files, anyWrap(find));
  const [place, ...others] = all.filter((each) => within === undefined || each.within === within);
  if (place !== undefined && others.length === 0) return place;
  const fault = place === undefined ? 'is not there' : 'is there twice';
  throw new Error(
    `${within ?? 'SQL'}: "${find.trim().slice(0, 80)}" ${fault}. Change the text (find) of its mutant in scripts/mutants, too.`,
  );
}

/** Each call that refuses something. */
export function refusalsIn(files: SqlFile[]): Place[] {
  return matches(files, REFUSAL);
}

function matches(files: SqlFile[], pattern: RegExp): Place[] {
  return files.flatMap(({ file, source }) => {
    const definitions = [...source.matchAll(DEFINITION)].map(({ 0: text, 1: name = '', index }) => ({
      name,
      from: index,
      to: index + text.length,
    }));
    return [...source.matchAll(pattern)].map(({ 0: text, index: from }) => {
      const around = definitions.find((each) => each.from <= from && from < each.to);
      return { file, from, to: from + text.length, text, ...(around && { within: around.name }) };
    });
  });
}

/** A text that SQL puts together of several lines, as one. */
function unwrapped(text: string): string {
  return text.replace(/'\s*\n\s*'/g, '');
}

/** The text, however its lines are broken. */
function anyWrap(text: string): RegExp {
  const words = text
    .trim()
    .split(/\s+/)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(words.join('\\s+'), 'g');
}
