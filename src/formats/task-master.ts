import * as z from 'zod';
import type { ForeignTask } from '../services/adoption.ts';
import {
  checked,
  LooseId,
  LooseTitle,
  listItems,
  paragraphs,
  parseJson,
  priorityOf,
  type SourceFile,
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
  status: z.string().default('pending'),
  priority: z.string().nullish(),
  labels: z.array(LooseId).nullish(),
  tags: z.array(LooseId).nullish(),
  dependencies: z.array(LooseId).nullish(),
  subtasks: z.array(z.unknown()).nullish(),
});
type Item = z.output<typeof Item>;
const List = z.looseObject({ tasks: z.array(z.unknown()) });

// Parts of parts are none that the tool makes; what is deeper is told of like any other field.
const LEVELS_MAX = 20;

/** `prefix`: what tells a tag's tasks from another's. `whole`: what the items are parts of. */
type Place = { prefix: string; where: string; warn: Warn; whole?: { key: string; id: string; level: number } };

/** Task Master's `tasks.json`: `{tasks}`, or since 0.16 `{<tag>: {tasks}}`, or both. */
export function readTaskMaster(file: SourceFile, warn: Warn): ForeignTask[] {
  const whole = checked(z.record(z.string(), z.unknown()), parseJson(file), file.path);
  const old = Array.isArray(whole['tasks']) ? whole['tasks'] : undefined;
  const others: Others = {};
  const lists = Object.entries(whole).flatMap(([tag, value]) => {
    if (tag === 'tasks' && old !== undefined) return [{ prefix: '', tasks: old, where: 'tasks' }];
    const list = List.safeParse(value);
    if (!list.success) {
      others[tag] = value;
      return [];
    }
    const { tasks, ...rest } = list.data;
    warnOfOthers(rest, { place: `${file.path} ${tag}`, warn });
    // Each tag numbers its tasks from 1.
    return [{ prefix: tag === 'master' && old === undefined ? '' : `${tag}:`, tasks, where: `${tag}.tasks` }];
  });
  if (lists.length === 0) throw wrongFile(`${file.path} has no list of tasks.`);
  warnOfOthers(others, { place: file.path, warn });
  return lists.flatMap(({ tasks, ...about }) => readList(tasks, { ...about, warn }));
}

function readList(items: unknown[], about: Place): ForeignTask[] {
  const read = items.map((value, at) => readItem(value, { ...about, where: `${about.where}[${at}]` }));
  const siblings = new Set(read.map((item) => item?.id));
  return read.flatMap((item) => {
    if (item === undefined) return [];
    // A subtask names its siblings by their bare number, or anything by its whole one.
    const { prefix, whole } = about;
    const resolve = (name: string) =>
      `${prefix}${whole === undefined || name.includes('.') || !siblings.has(name) ? name : `${whole.id}.${name}`}`;
    return [{ ...item.task, dependencies: item.dependencies.map(resolve) }, ...item.parts];
  });
}

type Read = { id: string; task: Omit<ForeignTask, 'dependencies'>; dependencies: string[]; parts: ForeignTask[] };

function readItem(value: unknown, { where, prefix, warn, whole }: Place): Read | undefined {
  const place = where;
  const read = salvageNamed(Item, value, { place, warn });
  if (read === undefined) return undefined;
  const { record: item, others, key: id } = read;
  const path = whole === undefined ? id : `${whole.id}.${id}`;
  const key = `${prefix}${path}`;
  const level = (whole?.level ?? 0) + 1;
  const isDeep = level >= LEVELS_MAX;
  if (isDeep) others['subtasks'] = item.subtasks;
  const parts = isDeep
    ? []
    : readList(item.subtasks ?? [], { prefix, where: `${place}.subtasks`, warn, whole: { key, id: path, level } });
  return {
    id,
    task: { ...about(item, others), key, place, title: item.title ?? key, ...(whole && { parent: whole.key }) },
    dependencies: item.dependencies ?? [],
    parts,
  };
}

function about(item: Item, others: Others): Pick<ForeignTask, 'description' | 'status' | 'left_out'> {
  const priority = priorityOf(item.priority);
  if (priority === undefined) others['priority'] = item.priority;
  const task = {
    acceptance_criteria: listItems(item.testStrategy),
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
      titled('Task Master', item.id),
      otherFields(others),
    ),
  };
}
