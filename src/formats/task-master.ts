import * as z from 'zod';
import type { ForeignTask } from './foreign-task.ts';
import {
  beginning,
  checked,
  jsonTexts,
  LooseId,
  LooseTitle,
  listItems,
  paragraphs,
  parsed,
  parseJson,
  priorityOf,
  type SourceFile,
  skipped,
  statusOf,
  titled,
  type Warn,
  wrongFile,
} from './foreign-task.ts';
import { type Others, otherFields, salvageNamed, warnOfOthers } from './salvage.ts';

const Item = z.looseObject({
  id: LooseId.nullish(),
  title: LooseTitle.nullish(),
  description: z.string().nullish(),
  details: z.string().nullish(),
  testStrategy: z.string().nullish(),
  acceptanceCriteria: z.string().nullish(),
  status: z.string().default('pending'),
  priority: z.string().nullish(),
  labels: z.array(LooseId).nullish(),
  tags: z.array(LooseId).nullish(),
  dependencies: z.array(LooseId).nullish(),
  subtasks: z.array(z.unknown()).nullish(),
});
type Item = z.output<typeof Item>;
const List = z.looseObject({ tasks: z.array(z.unknown()) });

// The tool makes no parts of parts; deeper ones are reported like any other field.
const LEVELS_MAX = 20;

/** `prefix`: tells a tag's tasks from another's. `whole`: the parent of the items. */
type Place = { prefix: string; where: string; warn: Warn; whole?: { key: string; id: string; level: number } };

/**
 * Reads Task Master's `tasks.json`: `{tasks}`, or since 0.16 `{<tag>: {tasks}}`, or both; some handmade files have the
 * bare array.
 */
export function readTaskMaster(file: SourceFile, warn: Warn): ForeignTask[] {
  const entries = parseWholes(file, warn).flatMap(Object.entries);
  const hasOld = entries.some(([tag, value]) => tag === 'tasks' && Array.isArray(value));
  const others: Others = {};
  const lists = entries.flatMap(([tag, value]) => {
    if (tag === 'tasks' && Array.isArray(value)) return [{ prefix: '', tasks: value, where: 'tasks' }];
    const list = List.safeParse(isList(value) ? { tasks: value } : value);
    if (!list.success) {
      others[tag] = value;
      return [];
    }
    const { tasks, ...rest } = list.data;
    warnOfOthers(rest, { place: `${file.path} ${tag}`, warn });
    // Each tag numbers its tasks from 1.
    const prefix = tag === 'master' && !hasOld ? '' : `${tag}:`;
    return [{ prefix, tasks, where: isList(value) ? tag : `${tag}.tasks` }];
  });
  if (lists.length === 0) throw wrongFile(`${file.path} has no list of tasks.`);
  warnOfOthers(others, { place: file.path, warn });
  const tags = new Map<string, (typeof lists)[number]>();
  for (const list of lists) {
    const { tasks, ...about } = tags.get(list.prefix) ?? { ...list, tasks: [] };
    tags.set(list.prefix, { ...about, tasks: mergeStates([tasks, list.tasks], { where: about.where, warn }) });
  }
  return [...tags.values()].flatMap(({ tasks, ...about }) => readList(tasks, { ...about, warn }));
}

type Merging = { where: string; warn: Warn; level?: number };
type State = Record<string, unknown>;

/** Merges two states of a list: items with the same id and title are one, in its last state. */
function mergeStates([older, newer]: [unknown[], unknown[]], merging: Merging): unknown[] {
  if (older.length === 0 || newer.length === 0) return [...older, ...newer];
  const merged = new Map(named(older));
  for (const [name, item] of named(newer)) {
    const other = merged.get(name);
    merged.set(name, isRecord(other) && isRecord(item) ? newest(other, item, merging) : item);
  }
  return [...merged.values()];
}

/** Names items alike in each state of their list; a count tells equal ones apart. */
function named(items: unknown[]): [name: string, item: unknown][] {
  const counts = new Map<string, number>();
  return items.map((item) => {
    const name = JSON.stringify(isRecord(item) ? [String(item['id']), String(item['title'])] : item);
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return [`${name} ${count}`, item];
  });
}

function newest(first: State, second: State, { where, warn, level = 1 }: Merging): State {
  const [kept, other] = timeOf(first) > timeOf(second) ? [first, second] : [second, first];
  const [{ subtasks: parts, ...own }, { subtasks: otherParts, ...otherOwn }] = [kept, other];
  if (JSON.stringify(own) !== JSON.stringify(otherOwn)) {
    const name = `${own['id']} ${beginning(String(own['title']))}`;
    warn(
      `${where}: ${name} is there in two states, of which the latest counts; the other is older, ${skipped(otherOwn)}.`,
    );
  }
  if (!Array.isArray(parts) || !Array.isArray(otherParts) || level >= LEVELS_MAX) return kept;
  const subtasks = mergeStates([otherParts, parts], { where: `${where} ${own['id']}`, warn, level: level + 1 });
  return { ...own, subtasks };
}

function timeOf({ updatedAt }: State): number {
  return Date.parse(String(updatedAt)) || 0;
}

function isRecord(value: unknown): value is State {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses the file's one value; or, if two states of it were joined, each of them, and warns of the rest. */
function parseWholes(file: SourceFile, warn: Warn): Record<string, unknown>[] {
  const whole = z.preprocess(
    (value) => (Array.isArray(value) ? { tasks: value } : value),
    z.record(z.string(), z.unknown()),
  );
  const [first, ...others] = jsonTexts(file.text);
  if (first === undefined || others.length === 0) return [checked(whole, parseJson(file), file.path)];
  const rest = others.flatMap((text) => {
    const value = whole.safeParse(parsed(text));
    if (value.success) return [value.data];
    warn(`${file.path}: what follows the end of its JSON is none, ${skipped(text)}.`);
    return [];
  });
  return [checked(whole, parseJson({ ...file, text: first }), file.path), ...rest];
}

/** Tells whether an array in the place of a tag has tasks. */
function isList(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.some((item) => z.looseObject({ id: LooseId, title: LooseTitle }).safeParse(item).success)
  );
}

function readList(items: unknown[], about: Place): ForeignTask[] {
  const read = items.map((value, at) => readItem(value, { ...about, where: `${about.where}[${at}]` }));
  const siblings = new Set(read.map((item) => item?.path));
  return read.flatMap((item) => {
    if (item === undefined) return [];
    // A subtask names its siblings by their bare number, or any item by its full one.
    const { prefix, whole } = about;
    const resolve = (name: string) => {
      const sibling = whole && pathIn(whole, name);
      return `${prefix}${sibling !== undefined && siblings.has(sibling) ? sibling : name}`;
    };
    return [{ ...item.task, dependencies: item.dependencies.map(resolve) }, ...item.parts];
  });
}

/** Returns a subtask's full number; some files write it in full. */
function pathIn(whole: { id: string }, name: string): string {
  return name.startsWith(`${whole.id}.`) ? name : `${whole.id}.${name}`;
}

type Read = { path: string; task: Omit<ForeignTask, 'dependencies'>; dependencies: string[]; parts: ForeignTask[] };

function readItem(value: unknown, { where, prefix, warn, whole }: Place): Read | undefined {
  const place = where;
  const read = salvageNamed(Item, value, { place, warn });
  if (read === undefined) return undefined;
  const { record: item, others, key: id } = read;
  const path = whole === undefined ? id : pathIn(whole, id);
  const key = `${prefix}${path}`;
  const level = (whole?.level ?? 0) + 1;
  const isDeep = level >= LEVELS_MAX;
  if (isDeep) others['subtasks'] = item.subtasks;
  const parts = isDeep
    ? []
    : readList(item.subtasks ?? [], { prefix, where: `${place}.subtasks`, warn, whole: { key, id: path, level } });
  return {
    path,
    task: { ...about(item, path, others), key, place, title: item.title ?? key, ...(whole && { parent: whole.key }) },
    dependencies: item.dependencies ?? [],
    parts,
  };
}

function about(item: Item, path: string, others: Others): Pick<ForeignTask, 'description' | 'status' | 'left_out'> {
  const priority = priorityOf(item.priority);
  if (priority === undefined) others['priority'] = item.priority;
  const task = {
    acceptance_criteria: [item.acceptanceCriteria, item.testStrategy].flatMap(listItems),
    priority,
    labels: [...(item.labels ?? []), ...(item.tags ?? [])],
    ...statusOf(item.status),
    remark: item.status === 'pending' ? undefined : `It was ${item.status} in Task Master.`,
  };
  return {
    ...task,
    description: paragraphs(
      item.description,
      titled('Details', item.details),
      titled('Task Master', path),
      otherFields(others),
    ),
  };
}
