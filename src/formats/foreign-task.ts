import * as z from 'zod';
import { DomainError, messageOf } from '../errors.ts';
import { type PRIORITIES, STATUSES } from '../events/task-forms.ts';
import { escaped, firstOf, oneLine } from '../text.ts';
import { LINE_END, listItem, withoutBox } from './lines.ts';

/** A task of another tool. */
export type ForeignTask = {
  /** Its name there: links of others use it, and a repeat finds the task by it. */
  key: string;
  /** Its place, for messages: `tasks.json line 12`. */
  place: string;
  title: string;
  description?: string | undefined;
  acceptance_criteria?: string[] | undefined;
  /** The criteria that are not ticked in the source. */
  unmet?: string[] | undefined;
  priority?: (typeof PRIORITIES)[number] | undefined;
  /** Its position among tasks of its priority: a lower one comes first. */
  rank?: number | undefined;
  labels?: string[] | undefined;
  status: (typeof STATUSES)[number];
  /** The reason for the status: how it ended, why it is blocked. */
  remark?: string | undefined;
  dependencies: string[];
  parent?: string | undefined;
  discovered_from?: string | undefined;
  /** Values without a place in Cairn. */
  left_out?: string[] | undefined;
};

/** A file as it was read; `path` is its name for people, `home` its path in the repository, equal in every clone. */
export type SourceFile = { path: string; text: string; home?: string };

/** Takes a warning about the source for a person. */
export type Warn = (text: string) => void;

// The words of other tools and people for each status; compared without case, spaces, dashes and apostrophes.
const STATUS_WORDS: Readonly<Record<ForeignTask['status'], readonly string[]>> = Object.freeze({
  pending: ['pending', 'open', 'todo', 'backlog', 'new', 'ready', 'notstarted', 'planned'],
  in_progress: ['inprogress', 'doing', 'started', 'review', 'inreview', 'hooked', 'testing', 'active'],
  blocked: ['blocked', 'onhold', 'waiting', 'deferred', 'paused', 'pinned'],
  completed: ['done', 'completed', 'complete', 'closed', 'fixed', 'resolved', 'shipped'],
  cancelled: ['cancelled', 'canceled', 'wontfix', 'wontdo', 'notplanned', 'abandoned', 'duplicate'],
});

// These expressions read text of strangers: after white space each requires something else, so that no two parts
// compete for the same characters, and the time stays linear.

/** Returns the status that another tool's word means. An unknown word is pending, with a note. */
export function statusOf(word: string): Pick<ForeignTask, 'status' | 'left_out'> {
  const plain = word.toLowerCase().replace(/[\s_\-'’]/g, '');
  const status = STATUSES.find((known) => STATUS_WORDS[known].includes(plain));
  if (status !== undefined) return { status };
  return { status: 'pending', left_out: [`its status "${word.slice(0, 60)}", which Cairn does not have`] };
}

const BEGINNING_MAX = 200;
const SKIPPED_MAX = 4_000;

const PRIORITY_WORDS: Readonly<Record<string, ForeignTask['priority']>> = Object.freeze({
  critical: 'critical',
  urgent: 'critical',
  p0: 'critical',
  high: 'high',
  p1: 'high',
  medium: 'medium',
  normal: 'medium',
  p2: 'medium',
  low: 'low',
  lowest: 'low',
  p3: 'low',
  p4: 'low',
});

/** Returns the priority of a word such as `high` or `P1`; undefined for any other. */
export function priorityOf(word: string | null | undefined): ForeignTask['priority'] {
  return PRIORITY_WORDS[word?.trim().toLowerCase() ?? ''];
}

/** Joins the present paragraphs with blank lines. */
export function paragraphs(...parts: (string | false | null | undefined)[]): string | undefined {
  const given = parts.filter((part) => typeof part === 'string').filter((part) => part.trim() !== '');
  return given.length === 0 ? undefined : given.map((part) => part.trim()).join('\n\n');
}

/** Formats a heading and its text, or nothing without text. */
export function titled(heading: string, body: string | false | null | undefined): string | false {
  return body && body.trim() !== '' ? `${heading}: ${body.trim()}` : false;
}

/**
 * Lists the checkbox items of a text: `mark` is the character in the box. The expression takes a line without
 * surrounding white space.
 */
export function tickedItems(text: string, item: RegExp): { mark: string; text: string }[] {
  return text.split(LINE_END).flatMap((line) => {
    const [, mark, said] = item.exec(line.trim()) ?? [];
    return mark === undefined || said === undefined ? [] : { mark, text: said };
  });
}

/** Lists the items of a plain-text list; text without bullets is one item. */
export function listItems(text: string | null | undefined): string[] {
  if (!text?.trim()) return [];
  const lines = text.split(LINE_END).flatMap((line) => line.trim() || []);
  const items = lines.map(listItem);
  return items.every((item) => item !== undefined)
    ? items.map((item) => withoutBox(item).text)
    : [text.trim().replace(/\s+/g, ' ')];
}

/** Quotes the start of a text on one line. */
export function beginning(text: string, charactersMax = BEGINNING_MAX): string {
  const line = oneLine(firstOf(text, 4 * charactersMax));
  return `"${line.length > charactersMax ? `${firstOf(line, charactersMax)}…` : line}"`;
}

/** Quotes a skipped record for its warning. */
export function skipped(value: unknown): string {
  return `so it was skipped: ${beginning(typeof value === 'string' ? value : JSON.stringify(value), SKIPPED_MAX)}`;
}

/** Formats line numbers in words: `line 3`, `lines 5-7`. */
export function lineRanges(lines: number[]): string[] {
  const ranges: [number, number][] = [];
  for (const line of lines) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === line - 1) last[1] = line;
    else ranges.push([line, line]);
  }
  return ranges.map(([first, last]) => lineRange(first, last));
}

export function lineRange(first: number, last: number): string {
  return first === last ? `line ${first}` : `lines ${first}-${last}`;
}

/** Parses a value by the schema. Raises `invalid_input` that names the place and the field. */
export function checked<Schema extends z.ZodType>(schema: Schema, value: unknown, place: string): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw wrongFile(`${place}: ${[...(issue?.path ?? []), issue?.message].join(': ')}.`);
}

export function parseJson({ path, text }: SourceFile): unknown {
  try {
    return levelled(JSON.parse(text));
  } catch (error) {
    throw wrongFile(`${path} is not JSON: ${messageOf(error)}.`);
  }
}

/** Parses JSON; undefined for any other text. */
export function parsed(text: string): unknown {
  try {
    return levelled(JSON.parse(text));
  } catch {
    return undefined;
  }
}

// No tool nests its tasks so deep, and functions that walk a value recurse for each level.
const LEVELS_MAX = 100;
const TOO_DEEP = `left out: more than ${LEVELS_MAX} levels deep`;

/** Replaces values that lie too deep by a text that says so. */
function levelled(value: unknown): unknown {
  const open: [holder: unknown, level: number][] = [[value, 1]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [holder, level] = next;
    if (typeof holder !== 'object' || holder === null) continue;
    for (const [name, item] of Object.entries(holder)) {
      if (typeof item !== 'object' || item === null) continue;
      if (level < LEVELS_MAX) open.push([item, level + 1]);
      else Reflect.set(holder, name, TOO_DEEP);
    }
  }
  return value;
}

// A merge combines two states, or three with their origin.
const TEXTS_MAX = 4;

/** Splits a text after each of its first top-level objects or arrays. */
export function jsonTexts(text: string): string[] {
  const ends = [0];
  let depth = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length && ends.length < TEXTS_MAX; at += 1) {
    const character = text[at];
    if (isQuoted && character === '\\') at += 1;
    else if (character === '"') isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') {
      depth -= 1;
      if (depth === 0) ends.push(at + 1);
    }
  }
  return ends.map((end, at) => text.slice(end, ends[at + 1])).filter((part) => part.trim() !== '');
}

export function wrongFile(message: string): DomainError {
  return new DomainError('invalid_input', escaped(message), {
    hint: 'Correct the file, or name its format with --from. Nothing was imported.',
  });
}

/** An id that some tools write as a number and some as text. */
export const LooseId = z.union([z.string().min(1).max(200), z.number()]).transform(String);

/** A title, which YAML reads as a number if it looks like one. */
export const LooseTitle = z.union([z.string().regex(/\S/), z.number()]).transform(String);
