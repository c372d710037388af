import type * as z from 'zod';
import { isRecord, recordOf, valueIn } from '../records.ts';
import { pathName } from '../text.ts';
import { beginning, skipped, type Warn } from './foreign-task.ts';

/** Fields that no rule took, by name: they go into the description. */
export type Others = Record<string, unknown>;
type Path = PropertyKey[];
type Reading = { place: string; warn: Warn };

// Each round takes out at least one value; a value that needs more rounds is no record.
const ROUNDS_MAX = 100;
const LEAVES_MAX = 1_000;

/**
 * Reads a stranger's record by the schema. Takes out a value of another type with a warning and keeps it among the
 * others, as it does with each unknown field. Undefined, with a warning, if the rest is no record.
 */
export function salvage<Schema extends z.ZodObject>(
  schema: Schema,
  given: unknown,
  { place, warn }: Reading,
): { record: z.output<Schema>; others: Others } | undefined {
  const others: Others = {};
  const skip = (why: string) => warn(`${place}: ${why}, ${skipped(given)}.`);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    skip('it is no record');
    return undefined;
  }
  const rest: unknown = structuredClone(given);
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const parsed = schema.safeParse(rest);
    if (parsed.success) {
      for (const [name, value] of Object.entries(parsed.data)) {
        if (!Object.hasOwn(schema.shape, name)) others[name] = value;
      }
      return { record: parsed.data, others };
    }
    const wrong = outermost(parsed.error.issues.map(({ path }) => present(rest, path)));
    if (wrong.some((path) => path.length === 0)) break;
    for (const path of wrong.toReversed()) {
      const value = takeOut(rest, path);
      others[unused(others, pathName(path))] = value;
      warn(`${place}: left out ${pathName(path)}, which is ${shown(value)}.`);
    }
  }
  skip('a field that it needs is missing');
  return undefined;
}

/**
 * Reads a record with its key: its id, which the source may call otherwise, or else its title. Undefined, with a
 * warning, without either.
 */
export function salvageNamed<Schema extends z.ZodObject>(
  schema: Schema,
  given: unknown,
  { place, warn, id = 'id' }: Reading & { id?: string },
): { record: z.output<Schema>; others: Others; key: string } | undefined {
  const read = salvage(schema, given, { place, warn });
  if (read === undefined) return undefined;
  const { [id]: own, title } = recordOf(read.record);
  const key = own ?? title;
  if (key != null) return { ...read, key: String(key) };
  warn(`${place}: it has neither ${id} nor title, ${skipped(given)}.`);
  return undefined;
}

/** Formats the record's others for its description: one line for each non-empty value. */
export function otherFields(others: Others): string | false {
  const lines = Object.entries(others).flatMap(([name, value]) => leaves(name, value));
  return lines.length > 0 && `Other fields:\n${lines.join('\n')}`;
}

/** A comment in a format; `rest` has the fields that no rule took. */
export type Comment = {
  author?: string | null | undefined;
  at?: string | null | undefined;
  text: string;
  rest?: Others;
};

/** Formats a record's comments for its description. A comment that `read` cannot read goes to the others. */
export function commentsOf(
  given: unknown[] | null | undefined,
  { others, counts, between }: { others: Others; counts: Map<string, number>; between: string },
  read: (value: unknown) => Comment | undefined,
): string | false {
  const said = (given ?? []).flatMap((value, index) => {
    const comment = read(value);
    if (comment === undefined) {
      others[`comments[${index}]`] = value;
      return [];
    }
    const { author, at, text, rest = {} } = comment;
    countOthers(counts, 'comments', rest);
    const by = [author, at && `(${at})`].filter(Boolean).join(' ');
    return by === '' ? text : `${by}: ${text}`;
  });
  return said.length > 0 && `Comments:\n${said.join(between)}`;
}

/** Warns of data that belongs to no task. */
export function warnOfOthers(others: Others, { place, warn }: Reading): void {
  const lines = Object.entries(others).flatMap(([name, value]) => leaves(name, value));
  if (lines.length > 0) warn(`${place}: left out ${lines.join('; ')}.`);
}

/** Counts fields that are left out of many records, for one warning. */
export function countOthers(counts: Map<string, number>, what: string, others: Others): void {
  for (const [name, value] of Object.entries(others)) {
    if (leaves(name, value).length > 0) counts.set(`${name} of ${what}`, (counts.get(`${name} of ${what}`) ?? 0) + 1);
  }
}

export function warnOfCounts(counts: Map<string, number>, { place, warn }: Reading): void {
  if (counts.size === 0) return;
  const fields = [...counts].map(([name, total]) => `${name} (${total} times)`);
  warn(`${place}: left out what Cairn has no place for: ${fields.join(', ')}.`);
}

/** Lists the values in a value, each with its path: nested text stays readable, word for word. */
function leaves(name: string, value: unknown): string[] {
  const found: string[] = [];
  const open: [string, unknown][] = [[name, value]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [path, inner] = next;
    if (found.length >= LEAVES_MAX) return [...found, `${name}: and more, which was left out`];
    if (Array.isArray(inner)) {
      if (inner.length > 0 && inner.every((item) => typeof item === 'string' && !/[\n,]/.test(item))) {
        found.push(`${path}: ${inner.join(', ')}`);
      } else open.push(...inner.map((item, at): [string, unknown] => [`${path}[${at}]`, item]).toReversed());
    } else if (typeof inner === 'object' && inner !== null) {
      open.push(
        ...Object.entries(inner)
          .map(([key, item]): [string, unknown] => [`${path}.${key}`, item])
          .toReversed(),
      );
    } else if (!isEmpty(inner)) found.push(`${path}: ${inner}`);
  }
  return found;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === false || value === 0 || String(value).trim() === '';
}

/** Returns the path of an existing value: for a missing one, its parent's. */
function present(whole: unknown, path: Path): Path {
  let value = whole;
  for (const [at, key] of path.entries()) {
    value = valueIn(value, key);
    if (value === undefined) return path.slice(0, at);
  }
  return path;
}

/** Lists each path once, without those below another one. */
function outermost(paths: Path[]): Path[] {
  const names = new Map(paths.map((path) => [pathName(path), path]));
  return [...names.values()].filter((path) => !path.some((_, at) => names.has(pathName(path.slice(0, at)))));
}

function takeOut(whole: unknown, path: Path): unknown {
  const key = path.at(-1) ?? '';
  const holder = path.slice(0, -1).reduce<unknown>(valueIn, whole);
  const value = valueIn(holder, key);
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else if (isRecord(holder)) Reflect.deleteProperty(holder, key);
  return value;
}

function unused(others: Others, name: string): string {
  return Object.hasOwn(others, name) ? unused(others, `${name}'`) : name;
}

function shown(value: unknown): string {
  return beginning(typeof value === 'string' ? value : JSON.stringify(value));
}
