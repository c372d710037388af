import * as z from 'zod';
import type { Project } from '../events/projects.ts';
import type { Task } from '../events/task-forms.ts';
import { PRIORITIES, STATUSES } from '../events/task-forms.ts';
import type { ForeignTask } from './foreign-task.ts';
import {
  checked,
  LooseTitle,
  paragraphs,
  parseJson,
  type SourceFile,
  titled,
  type Warn,
  wrongFile,
} from './foreign-task.ts';
import { countOthers, type Others, otherFields, salvage, warnOfCounts } from './salvage.ts';

const FORMAT = 'cairn-tasks';
const FORMAT_VERSION = 1;

const Header = z.looseObject({ format: z.literal(FORMAT), version: z.int().min(1), tasks: z.array(z.unknown()) });
const Item = z.looseObject({
  ref: z.string().min(1),
  title: LooseTitle.nullish(),
  description: z.string().nullish(),
  acceptance_criteria: z.array(z.string()).default([]),
  priority: z.enum(PRIORITIES).optional(),
  rank: z.number().nullish(),
  labels: z.array(z.string()).nullish(),
  status: z.enum(STATUSES).default('pending'),
  dependencies: z.array(z.looseObject({ ref: z.string() })).default([]),
  parent: z.string().nullish(),
  discovered_from: z.string().nullish(),
  summary: z.string().nullish(),
  blocked_reason: z.string().nullish(),
  last_reason: z.string().nullish(),
});
type Item = z.output<typeof Item>;

// Fields of the other Cairn about the origin and state of its copy.
const NOT_TAKEN = [
  ...['id', 'project', 'version', 'ready', 'locked_by', 'locked_until', 'session', 'open_dependencies', 'warning'],
  ...['attempts', 'completed_at', 'unproven', 'scope', 'dependents', 'last_outcome', 'last_agent', 'waiting_for'],
  ...['approved_at', 'created_by', 'created_at', 'updated_at'],
];

/** Writes a project's current tasks, without their history. */
export function writeTasks(project: Project, tasks: Task[]): string {
  const { slug, name, description } = project;
  const header = { format: FORMAT, version: FORMAT_VERSION, exported_at: new Date().toISOString() };
  return `${JSON.stringify({ ...header, project: { slug, name, description }, tasks }, null, 2)}\n`;
}

export function readTasks(file: SourceFile, warn: Warn): ForeignTask[] {
  const { version, tasks } = checked(Header, parseJson(file), file.path);
  if (version > FORMAT_VERSION)
    throw wrongFile(`${file.path} has version ${version}; this cairn reads ${FORMAT_VERSION}.`);
  const counts = new Map<string, number>();
  const found = tasks.flatMap((value, at): ForeignTask[] => {
    const place = `${file.path} tasks[${at}]`;
    const read = salvage(Item, value, { place, warn });
    if (read === undefined) return [];
    const isTaken = ([name]: [string, unknown]) => !NOT_TAKEN.includes(name);
    const fields = Object.entries(read.others);
    countOthers(counts, 'tasks', Object.fromEntries(fields.filter((field) => !isTaken(field))));
    return [{ ...taskOf(read.record, Object.fromEntries(fields.filter(isTaken))), place }];
  });
  warnOfCounts(counts, { place: file.path, warn });
  return found;
}

function taskOf(item: Item, others: Others): Omit<ForeignTask, 'place'> {
  const { ref, summary, blocked_reason, last_reason, dependencies, parent, discovered_from } = item;
  const remark = summary ?? blocked_reason ?? last_reason ?? undefined;
  const unless = (text: string | null | undefined) => (text === remark ? undefined : text);
  return {
    key: ref,
    title: item.title ?? ref,
    description: paragraphs(
      item.description,
      titled('Reason', blocked_reason),
      titled('Last reason', unless(last_reason)),
      otherFields(others),
    ),
    acceptance_criteria: item.acceptance_criteria,
    priority: item.priority,
    rank: item.rank ?? undefined,
    labels: item.labels ?? undefined,
    status: item.status,
    remark,
    dependencies: dependencies.map((dependency) => dependency.ref),
    parent: parent ?? undefined,
    discovered_from: discovered_from ?? undefined,
  };
}
