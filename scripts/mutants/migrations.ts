import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Mutant } from './mutant.ts';

/** Where mutants of SQL are looked for: they name no file, since a later migration may replace a function of an earlier one. */
export const SQL = 'supabase/migrations';

// From its head to the end of its body: text between dollars, or an expression of the SQL standard.
const DEFINITION =
  /^create (?:or replace )?function ([\w.]+)\([\s\S]*?(?:\bas (\$\w*\$)[\s\S]*?\2[^;]*|^\s*return [^;]*|^begin atomic[\s\S]*?^end);/gm;
const DROP = /^drop function (?:if exists )?([\w.]+)/gm;
const REFUSAL = /perform app\.(?:fail|bad_rule|refuse_\w+)\((?:'(?:[^']|'')*'|[^';])*;/g;

export type Migration = { file: string; source: string };

/** A piece of a migration. `within` names the function around it, if any, and `files` are those that ever defined that one. */
export type Place = { file: string; from: number; to: number; text: string; within?: string; files: string[] };

/** In the order in which they are applied. */
export async function readMigrations(root: string): Promise<Migration[]> {
  const names = (await readdir(join(root, SQL))).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async (name) => ({ file: `${SQL}/${name}`, source: await readFile(join(root, SQL, name), 'utf8') })),
  );
}

/** The one place in force that a mutant takes out. Throws when there is none, or when there are several. */
export function placeOf(
  migrations: Migration[],
  { find, within, isRefusal = false }: Pick<Mutant, 'find' | 'within' | 'isRefusal'>,
): Place {
  const all = isRefusal
    ? matches(migrations, REFUSAL).filter(({ text }) => text.includes(find))
    : matches(migrations, anyWrap(find));
  const candidates = all.filter((place) => within === undefined || place.within === within);
  const [place, ...others] = candidates.filter((place) => place.isInForce);
  if (place !== undefined && others.length === 0) return place;
  const about = `${within ?? 'SQL'}: ${find.trim().slice(0, 80)}:`;
  if (candidates.length === 0) throw new Error(`${about} is not there`);
  throw new Error(
    `${about} ${place === undefined ? 'stands only in a definition that a later migration replaces' : 'is there twice'}`,
  );
}

/** Each call in force that refuses something. */
export function refusalsIn(migrations: Migration[]): Place[] {
  return matches(migrations, REFUSAL).filter(({ isInForce }) => isInForce);
}

function matches(migrations: Migration[], pattern: RegExp): (Place & { isInForce: boolean })[] {
  const definitions = migrations.flatMap(({ file, source }, at) =>
    [...source.matchAll(DEFINITION)].map(({ 0: text, 1: name = '', index }) => ({
      file,
      at,
      name,
      from: index,
      to: index + text.length,
    })),
  );
  const drops = migrations.flatMap(({ source }, at) =>
    [...source.matchAll(DROP)].map(({ 1: name = '', index }) => ({ at, name, from: index })),
  );
  return migrations.flatMap(({ file, source }, at) =>
    [...source.matchAll(pattern)].map(({ 0: text, index: from }) => {
      const around = definitions.find((each) => each.at === at && each.from <= from && from < each.to);
      const later = [...definitions, ...drops].filter(
        ({ name, ...each }) => name === around?.name && (each.at > at || (each.at === at && each.from > from)),
      );
      const files = definitions.filter(({ name }) => name === around?.name).map((each) => each.file);
      const place = { file, from, to: from + text.length, text, files: around === undefined ? [file] : files };
      return { ...place, ...(around && { within: around.name }), isInForce: later.length === 0 };
    }),
  );
}

/** The text, however its lines are broken. */
function anyWrap(text: string): RegExp {
  const words = text
    .trim()
    .split(/\s+/)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(words.join('\\s+'), 'g');
}
