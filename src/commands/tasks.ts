import type * as z from 'zod';
import type { Config } from '../config.ts';
import type { Context } from '../context.ts';
import { GetTask, getTask, ListTasks, listTasks, type TaskPage, type TaskWithHistory } from '../services/tasks.ts';
import { oneLine } from '../text.ts';
import { readPages } from './all-pages.ts';
import { fromNow, lease, paintPriority, paintStatus, statusOf, table, taskTable } from './format.ts';
import { eventTable } from './log.ts';
import { moreOf } from './needs.ts';
import { answer, type JsonOption, paint } from './paint.ts';
import { asPerson, parseGiven } from './person.ts';
import { taskRef } from './refs.ts';

const HISTORY_SIZE = 10;
const OPEN = ['pending', 'in_progress', 'blocked'];

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

/** `cairn tasks [WORDS]`: the tasks of the project that are open, or those that are asked for. */
export async function runTasks(config: Config, words: string[], options: TasksOptions): Promise<void> {
  const { all, priority, label: labels, ready, mine, unproven, limit } = options;
  const query = words.length === 0 ? undefined : words.join(' ');
  const showsOpen = options.status === undefined && !all && !ready && !mine && !unproven;
  // Counts are of the whole project.
  const isFiltered = query !== undefined || [priority, labels, options.parent].some((filter) => filter !== undefined);
  const status = showsOpen ? OPEN : options.status;
  const found = await asPerson(config, async (ctx) => {
    const parent = options.parent && (await taskRef(ctx, options.parent));
    return collect(ctx, { status, priority, labels, ready, mine, unproven, parent, query }, limit);
  });
  answer(found, options, ({ project, counts, tasks, more }) => {
    const { completed = 0, cancelled = 0 } = counts;
    return [
      `${paint('bold', project)}  ${countsLine(counts)}`,
      ...(tasks.length === 0 ? ['No task matches.'] : ['', ...taskTable(tasks)]),
      ...(more ? [paint('dim', `Only the first ${tasks.length}; --limit shows more.`)] : []),
      ...(showsOpen && !isFiltered ? moreOf(completed + cancelled, 'completed or cancelled', 'cairn tasks --all') : []),
    ];
  });
}

type Found = Omit<z.infer<typeof TaskPage>, 'next_cursor'> & { more: boolean };

async function collect(ctx: Context, filters: object, limit: number): Promise<Found> {
  const { items, last, more } = await readPages(
    limit,
    (asked) => listTasks(ctx, parseGiven(ListTasks, { ...filters, ...asked })),
    ({ tasks }) => tasks,
  );
  return { project: last.project, counts: last.counts, tasks: items, more };
}

/** `cairn next`: what an agent that claims now would get. */
export async function runNext(config: Config, options: JsonOption): Promise<void> {
  const next = await asPerson(config, async (ctx) => {
    const { project, counts, tasks } = await listTasks(ctx, parseGiven(ListTasks, { ready: true, page_size: 1 }));
    const [first] = tasks;
    const task = first === undefined ? null : await getTask(ctx, { task: first.ref, timeline_size: 0 });
    return { project, counts, task };
  });
  answer(next, options, ({ project, counts, task }) =>
    task === null ? [`Nothing is ready in ${project}: ${countsLine(counts)}.`] : taskLines(task),
  );
}

/** `cairn show REF`: one task with everything about it. */
export async function runShow(config: Config, task: string, options: JsonOption): Promise<void> {
  const found = await asPerson(config, async (ctx) =>
    getTask(ctx, parseGiven(GetTask, { task: await taskRef(ctx, task), timeline_size: HISTORY_SIZE })),
  );
  answer(found, options, taskLines);
}

export function countsLine(counts: Readonly<Record<string, number | undefined>>): string {
  const { ready = 0, in_progress = 0, blocked = 0, pending = 0, completed = 0, cancelled = 0, unproven = 0 } = counts;
  const parts: [count: number, word: string, style: Parameters<typeof paint>[0]][] = [
    [ready, 'ready', 'green'],
    [in_progress, 'in progress', 'cyan'],
    [blocked, 'blocked', 'red'],
    [pending - ready, 'waiting', 'dim'],
    [completed, 'completed', 'dim'],
    [cancelled, 'cancelled', 'dim'],
    [unproven, 'unproven', 'yellow'],
  ];
  const shown = parts.filter(([count]) => count > 0).map(([count, word, style]) => paint(style, `${count} ${word}`));
  return shown.length === 0 ? 'no tasks' : shown.join(', ');
}

export function taskLines(task: z.infer<typeof TaskWithHistory>): string[] {
  const { ref, title, priority, rank, labels = [], acceptance_criteria, evidence = [], artifacts, timeline } = task;
  const criteria = acceptance_criteria.map((text, at) => {
    const shown = evidence.filter(({ criterion }) => criterion === at + 1);
    return shown.length === 0
      ? `  ${at + 1}. ${text}`
      : `  ${paint('green', '✓')} ${text}${shown.map(({ note, tier }) => paint('dim', `  ${tier}${note ? `: ${note}` : ''}`)).join('')}`;
  });
  const link = (other: { ref: string; title: string; status: string }) =>
    `  ${other.ref}  ${paint('dim', other.status.replace('_', ' '))}  ${other.title}`;
  return [
    `${paint('bold', `${ref}  ${title}`)}`,
    [
      paintStatus(statusOf(task), task),
      paintPriority(priority, priority),
      ...(rank === undefined ? [] : [`rank ${rank}`]),
      ...labels.map((label) => paint('cyan', `#${label}`)),
      paint('dim', `version ${task.version}, created ${fromNow(task.created_at)} by ${oneLine(task.created_by)}`),
    ].join('  '),
    ...standing(task),
    ...titled('Description', task.description === undefined ? [] : indented(task.description)),
    ...titled('Acceptance criteria', criteria),
    ...titled('Depends on', task.dependencies.map(link)),
    ...titled('Needed by', (task.dependents ?? []).map(link)),
    ...titled(
      'Artifacts',
      artifacts.length === 0
        ? []
        : table(artifacts, [
            { heading: 'TYPE', text: ({ type }) => type },
            { heading: 'REF', text: (artifact) => artifact.ref, flexible: true },
            { heading: 'BY', text: ({ by }) => by, style: (text) => paint('cyan', text) },
            { heading: 'SUMMARY', text: ({ summary = '' }) => summary, flexible: true },
          ]),
    ),
    ...titled('Latest', timeline.length === 0 ? [] : eventTable(timeline)),
  ];
}

/** Who has it, what keeps it from being done, and how it ended. */
function standing(task: z.infer<typeof TaskWithHistory>): string[] {
  const lines: (string | false | undefined)[] = [
    task.locked_by !== undefined &&
      `Held by ${paint('cyan', oneLine(task.locked_by))}${task.locked_until ? `, ${lease(task.locked_until)}` : ''}`,
    task.blocked_reason !== undefined && `Blocked: ${task.blocked_reason}`,
    task.warning !== undefined && paint('yellow', task.warning),
    ...(task.waiting_for ?? []).map((text) => `Waits for: ${text}`),
    task.last_reason !== undefined &&
      `Last ${task.last_outcome} by ${oneLine(task.last_agent ?? 'someone')}: ${task.last_reason}`,
    task.summary !== undefined && `Completed: ${task.summary}`,
    task.unproven !== undefined && paint('yellow', `Unproven: criteria ${task.unproven.join(', ')}`),
  ];
  return lines.filter((line): line is string => typeof line === 'string');
}

function titled(heading: string, lines: string[]): string[] {
  return lines.length === 0 ? [] : ['', paint('bold', heading), ...lines];
}

function indented(text: string): string[] {
  return text.split('\n').map((line) => `  ${line}`);
}
