import type { Task } from '../events/task-forms.ts';
import { oneLine } from '../text.ts';
import type { ForeignTask } from './foreign-task.ts';
import { paragraphs, titled } from './foreign-task.ts';

// A criterion that begins like this would be read as an item.
const BOX = /^(?:\\+\[|\[.\]\s)/u;
const MARK_BY_STATUS: Readonly<Record<ForeignTask['status'], string>> = Object.freeze({
  pending: ' ',
  in_progress: '/',
  blocked: '!',
  completed: 'x',
  cancelled: '-',
});

/** Writes tasks as a checklist that readChecklist can read, parts below their wholes. */
export function writeChecklist(name: string, tasks: Task[]): string {
  const shown = new Set(tasks.map(({ ref }) => ref));
  const isRoot = ({ parent }: Task) => parent === undefined || !shown.has(parent);
  const parts = groupByParent(tasks);
  const write = (task: Task, indent: string): string[] => [
    `${indent}- [${MARK_BY_STATUS[task.status]}] ${task.ref}: ${oneLine(task.title)} (${hintsOf(task)})`,
    ...detailsOf(task).map((line) => `${indent}  ${line}`),
    ...(parts.get(task.ref) ?? []).flatMap((part) => write(part, `${indent}  `)),
  ];
  return [`# ${oneLine(name)}`, '', ...tasks.filter(isRoot).flatMap((task) => write(task, '')), ''].join('\n');
}

function groupByParent(tasks: Task[]): Map<string | undefined, Task[]> {
  const parts = new Map<string | undefined, Task[]>();
  for (const task of tasks) parts.set(task.parent, [...(parts.get(task.parent) ?? []), task]);
  return parts;
}

function hintsOf({ priority, rank, dependencies, labels = [] }: Task): string {
  const hints = [
    priority,
    rank !== undefined && `rank ${rank}`,
    ...dependencies.map(({ ref }) => `after ${ref}`),
    // A bare number would be read as an issue's number.
    ...labels.map((label) => `#${label.replace(/[\\,()]|^\d+$/g, '\\$&')}`),
  ];
  return hints.filter((hint) => hint !== false).join(', ');
}

function detailsOf({ description, acceptance_criteria, blocked_reason, summary, unproven }: Task): string[] {
  const said = paragraphs(
    description,
    titled('Blocked', blocked_reason),
    titled('Outcome', summary),
    titled('Unproven', unproven && `criteria ${unproven.join(', ')}`),
  );
  const quoted = said?.split('\n').map((line) => `> ${line}`.trimEnd()) ?? [];
  return [...quoted, ...acceptance_criteria.map((criterion) => `- ${oneLine(criterion).replace(BOX, '\\$&')}`)];
}
