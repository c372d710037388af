import type * as z from 'zod';
import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import type { TaskPage } from '../../services/tasks.ts';
import { tasks as taskTools } from '../../tools/tasks.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { readPages } from '../pagination.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { taskTable } from '../terminal/table.ts';
import { remainderLines } from './needs.ts';
import { taskRef } from './refs.ts';
import { OPEN, openParts, taskLines } from './task-lines.ts';

const HISTORY_SIZE = 10;

export type TasksOptions = JsonOption & {
  status?: string[];
  all?: true;
  priority?: string[];
  label?: string[];
  ready?: true;
  mine?: true;
  unproven?: true;
  parent?: string;
  limit: number;
};

/** `cairn tasks [WORDS]`: the open tasks of the project, or those that match. */
export async function runTasks(config: Config, words: string[], options: TasksOptions): Promise<void> {
  const { all, priority, label: labels, ready, mine, unproven, limit } = options;
  const query = words.length === 0 ? undefined : words.join(' ');
  const showsOpen = options.status === undefined && !all && !ready && !mine && !unproven;
  // Counts are of the whole project.
  const isFiltered = query !== undefined || [priority, labels, options.parent].some((filter) => filter !== undefined);
  const status = showsOpen ? OPEN : options.status;
  const found = await inLocalContext(config, async (ctx) => {
    const parent = options.parent && (await taskRef(ctx, options.parent));
    return collect(ctx, { status, priority, labels, ready, mine, unproven, parent, query }, limit);
  });
  printResult(found, options, ({ project, counts, tasks, more }) => {
    const { completed = 0, cancelled = 0 } = counts;
    return [
      `${styled('bold', project)}  ${countsLine(counts)}`,
      ...(tasks.length === 0 ? ['No task matches.'] : ['', ...taskTable(tasks)]),
      ...(more ? [styled('dim', `Only the first ${tasks.length}; --limit shows more.`)] : []),
      ...(showsOpen && !isFiltered
        ? remainderLines(completed + cancelled, 'completed or cancelled', 'cairn tasks --all')
        : []),
    ];
  });
}

type Found = Omit<z.infer<typeof TaskPage>, 'next_cursor'> & { more: boolean };

async function collect(ctx: Context, filters: object, limit: number): Promise<Found> {
  const { items, last, more } = await readPages(
    limit,
    (asked) => perform(ctx, taskTools.commands.list_tasks, { ...filters, ...asked }),
    ({ tasks }) => tasks,
  );
  return { project: last.project, counts: last.counts, tasks: items, more };
}

/** `cairn next`: the task that an agent would get by a claim now. */
export async function runNext(config: Config, options: JsonOption): Promise<void> {
  const next = await inLocalContext(config, async (ctx) => {
    const { project, counts, tasks } = await perform(ctx, taskTools.commands.list_tasks, { ready: true, page_size: 1 });
    const [first] = tasks;
    const task =
      first === undefined
        ? null
        : await perform(ctx, taskTools.commands.get_task, { task: first.ref, timeline_size: 0 });
    return { project, counts, task };
  });
  printResult(next, options, ({ project, counts, task }) =>
    task === null ? [`Nothing is ready in ${project}: ${countsLine(counts)}.`] : taskLines(task),
  );
}

/** `cairn show REF`: one task with everything about it. */
export async function runShow(config: Config, task: string, options: JsonOption): Promise<void> {
  const { found, parts } = await inLocalContext(config, async (ctx) => {
    const found = await perform(ctx, taskTools.commands.get_task, {
      task: await taskRef(ctx, task),
      timeline_size: HISTORY_SIZE,
    });
    return { found, parts: await openParts(ctx, found) };
  });
  printResult(found, options, () => taskLines(found, parts));
}

export function countsLine(counts: Readonly<Record<string, number | undefined>>): string {
  const { ready = 0, in_progress = 0, blocked = 0, pending = 0, completed = 0, cancelled = 0 } = counts;
  // A claim that has lapsed is in progress and ready; it is told as ready alone.
  const { unproven = 0, lapsed = 0 } = counts;
  const parts: [count: number, word: string, style: Parameters<typeof styled>[0]][] = [
    [ready, 'ready', 'green'],
    [in_progress - lapsed, 'in progress', 'cyan'],
    [blocked, 'blocked', 'red'],
    [pending - (ready - lapsed), 'waiting', 'dim'],
    [completed, 'completed', 'dim'],
    [cancelled, 'cancelled', 'dim'],
    [unproven, 'unproven', 'yellow'],
  ];
  const shown = parts.filter(([count]) => count > 0).map(([count, word, style]) => styled(style, `${count} ${word}`));
  return shown.length === 0 ? 'no tasks' : shown.join(', ');
}
