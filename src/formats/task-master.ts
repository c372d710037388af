import * as z from 'zod';
import type { ForeignTask } from '../services/adoption.ts';
import {
  checked,
  LooseId,
  listItems,
  paragraphs,
  parseJson,
  priorityOf,
  type SourceFile,
  statusOf,
  titled,
  wrongFile,
} from './foreign-task.ts';

const Item = z.looseObject({
  id: LooseId,
  title: z.string().min(1),
  description: z.string().nullish(),
  details: z.string().nullish(),
  testStrategy: z.string().nullish(),
  status: z.string().default('pending'),
  priority: z.string().nullish(),
  dependencies: z.array(LooseId).nullish(),
  subtasks: z.array(z.unknown()).nullish(),
});
const List = z.looseObject({ tasks: z.array(z.unknown()) });

/** Task Master's `tasks.json`: `{tasks}`, or since 0.16 `{<tag>: {tasks}}`. */
export function readTaskMaster(file: SourceFile): ForeignTask[] {
  const whole = checked(z.record(z.string(), z.unknown()), parseJson(file), file.path);
  if (Array.isArray(whole['tasks'])) return readList('', whole['tasks'], 'tasks');
  const lists = Object.entries(whole).flatMap(([tag, value]) => {
    const list = List.safeParse(value);
    return list.success ? [{ tag, tasks: list.data.tasks }] : [];
  });
  if (lists.length === 0) throw wrongFile(`${file.path} has no list of tasks.`);
  // Each tag numbers its tasks from 1.
  return lists.flatMap(({ tag, tasks }) => readList(tag === 'master' ? '' : `${tag}:`, tasks, `${tag}.tasks`));
}

function readList(prefix: string, tasks: unknown[], where: string): ForeignTask[] {
  return tasks.flatMap((task, at) => {
    const place = `${where}[${at}]`;
    const item = checked(Item, task, place);
    const key = `${prefix}${item.id}`;
    const whole = { ...readItem(item, (name) => `${prefix}${name}`), key, place };
    const parts = (item.subtasks ?? []).map((subtask, part): ForeignTask => {
      const subplace = `${place}.subtasks[${part}]`;
      const child = checked(Item, subtask, subplace);
      // A subtask names its siblings by their bare number, or anything by its whole one.
      const resolve = (name: string) => `${prefix}${name.includes('.') ? name : `${item.id}.${name}`}`;
      return { ...readItem(child, resolve), key: `${key}.${child.id}`, place: subplace, parent: key };
    });
    return [whole, ...parts];
  });
}

function readItem(item: z.output<typeof Item>, resolve: (name: string) => string): Omit<ForeignTask, 'key' | 'place'> {
  return {
    title: item.title,
    description: paragraphs(item.description, titled('Details', item.details)),
    acceptance_criteria: listItems(item.testStrategy),
    priority: priorityOf(item.priority),
    ...statusOf(item.status),
    remark: item.status === 'pending' ? undefined : `It was ${item.status} in Task Master.`,
    dependencies: (item.dependencies ?? []).map(resolve),
  };
}
