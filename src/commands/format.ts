import truncatedWidth from 'fast-string-truncated-width';
import type { PRIORITIES, TaskBrief } from '../events/tasks.ts';
import { oneLine } from '../text.ts';
import { paint } from './paint.ts';

const SECOND_MS = 1_000;
const UNITS: readonly [suffix: string, ms: number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', SECOND_MS],
];
const GAP = '  ';
const ELLIPSIS = '…';
const COLUMN_WIDTH_MIN = 12;

/** A column of a table: what its cells say, and how they look. A flexible one gives way when the line is too long. */
type Column<Row> = {
  heading: string;
  text(row: Row): string;
  style?(text: string, row: Row): string;
  flexible?: true;
};

/** Rows in aligned columns no wider than the terminal. A column with nothing in it is left out. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], width = terminalWidth()): string[] {
  const filled = columns
    .map((column) => ({ ...column, cells: rows.map((row) => oneLine(column.text(row))) }))
    .filter(({ cells }) => cells.some((cell) => cell !== ''))
    .map((column) => ({ ...column, width: Math.max(...[column.heading, ...column.cells].map(widthOf)) }));
  narrow(filled, width);
  const line = (show: (column: (typeof filled)[number]) => { text: string; styled: string }) =>
    filled
      .map((column) => ({ ...show(column), width: column.width }))
      .map(({ text, styled, width }, at) =>
        at === filled.length - 1 ? styled : styled + ' '.repeat(width - widthOf(text)),
      )
      .join(GAP)
      .trimEnd();
  const heading = line((column) => {
    const text = clip(column.heading, column.width);
    return { text, styled: paint('dim', text) };
  });
  const body = rows.map((row, at) =>
    line((column) => {
      const text = clip(column.cells[at] ?? '', column.width);
      return { text, styled: column.style?.(text, row) ?? text };
    }),
  );
  return [heading, ...body];
}

/** Takes from the widest of the columns that give way, until all fit. */
function narrow(columns: { width: number; flexible?: true }[], width: number): void {
  const total = columns.reduce((sum, column) => sum + column.width + GAP.length, -GAP.length);
  const flexible = columns.filter((column) => column.flexible);
  for (let excess = total - width; excess > 0; excess--) {
    const widest = flexible.reduce((a, b) => (b.width > a.width ? b : a), { width: 0 });
    if (widest.width <= COLUMN_WIDTH_MIN) return;
    widest.width--;
  }
}

/** The text in so many columns of a terminal, where some characters take two. */
export function clip(text: string, columns: number): string {
  const { truncated, ellipsed, index } = truncatedWidth(text, { limit: columns, ellipsis: ELLIPSIS });
  return truncated ? text.slice(0, index) + (ellipsed ? ELLIPSIS : '') : text;
}

function widthOf(text: string): number {
  return truncatedWidth(text).width;
}

/** What does not go to a terminal is never cut. */
function terminalWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY;
}

/** How far away a moment is, in its largest unit: `3m ago`, `in 2h`. */
export function fromNow(at: string, now = Date.now()): string {
  const distance = Date.parse(at) - now;
  const [suffix, ms] = UNITS.find(([, unit]) => Math.abs(distance) >= unit) ?? ['s', SECOND_MS];
  const amount = `${Math.trunc(Math.abs(distance) / ms)}${suffix}`;
  if (Math.abs(distance) < SECOND_MS) return 'now';
  return distance < 0 ? `${amount} ago` : `in ${amount}`;
}

export function statusOf(task: Pick<TaskBrief, 'status' | 'ready'>): string {
  return task.ready ? 'ready' : task.status.replace('_', ' ');
}

export function paintStatus(text: string, task: Pick<TaskBrief, 'status' | 'ready'>): string {
  if (task.ready) return paint('green', text);
  if (task.status === 'in_progress') return paint('cyan', text);
  return task.status === 'blocked' ? paint('red', text) : paint('dim', text);
}

export function paintPriority(text: string, priority: (typeof PRIORITIES)[number]): string {
  if (priority === 'critical') return paint('red', text);
  if (priority === 'high') return paint('yellow', text);
  return priority === 'low' ? paint('dim', text) : text;
}

/** What stands in the way of a task, or who has it. */
function noteOf(task: TaskBrief): string {
  if (task.locked_by !== undefined) {
    const session = task.session === undefined ? '' : `, session ${task.session}`;
    return `${task.locked_by}${session}${task.locked_until === undefined ? '' : `, ${lease(task.locked_until)}`}`;
  }
  if (task.blocked_reason !== undefined) return task.blocked_reason;
  if (task.unproven !== undefined) return `unproven: ${task.unproven.join(', ')}`;
  return task.open_dependencies === undefined ? '' : `waits for ${task.open_dependencies}`;
}

function lease(until: string): string {
  const distance = fromNow(until);
  return distance.startsWith('in ') ? `${distance.slice(3)} left` : `expired ${distance}`;
}

export function taskTable(tasks: readonly TaskBrief[]): string[] {
  return table<TaskBrief>(tasks, [
    { heading: 'REF', text: ({ ref }) => ref, style: (text) => paint('bold', text) },
    { heading: 'STATUS', text: statusOf, style: paintStatus },
    {
      heading: 'PRIORITY',
      text: ({ priority }) => priority,
      style: (text, task) => paintPriority(text, task.priority),
    },
    { heading: 'TITLE', text: ({ title }) => title, flexible: true },
    {
      heading: 'LABELS',
      text: ({ labels = [] }) => labels.join(', '),
      style: (text) => paint('cyan', text),
      flexible: true,
    },
    { heading: 'NOTE', text: noteOf, style: (text) => paint('dim', text), flexible: true },
  ]);
}
