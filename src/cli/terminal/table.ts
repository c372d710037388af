import type { PRIORITIES, TaskBrief } from '../../events/task-forms.ts';
import { oneLine } from '../../text.ts';
import { times } from '../../tools/render.ts';
import { styled } from './output.ts';
import { clip, widthOf } from './width.ts';

const SECOND_MS = 1_000;
const UNITS: readonly [suffix: string, ms: number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', SECOND_MS],
];
const GAP = '  ';
// Narrower flexible columns say nothing: optional columns are left out before that. The one that is always shown
// needs more.
const COLUMN_WIDTH_MIN = 12;
const MAIN_WIDTH_MIN = 24;

/**
 * A column of a table: its cells' text and style. When lines are too long, flexible columns shrink, then optional ones
 * are left out, the lowest number first.
 */
type Column<Row> = {
  heading: string;
  text(row: Row): string;
  style?(text: string, row: Row): string;
  flexible?: true;
  spare?: number;
};

/** Formats rows in aligned columns no wider than the terminal. Leaves out an empty column. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], width = terminalWidth()): string[] {
  const filled = columns
    .map((column) => ({ ...column, cells: rows.map((row) => oneLine(column.text(row))) }))
    .filter(({ cells }) => cells.some((cell) => cell !== ''))
    .map((column) => ({ ...column, width: Math.max(...[column.heading, ...column.cells].map(widthOf)) }));
  const shown = fitted(filled, width);
  const line = (show: (column: (typeof filled)[number]) => { text: string; styled: string }) =>
    shown
      .map((column) => ({ ...show(column), width: column.width }))
      .map(({ text, styled, width }, at) =>
        at === shown.length - 1 ? styled : styled + ' '.repeat(Math.max(0, width - widthOf(text))),
      )
      .join(GAP)
      .trimEnd();
  const heading = line((column) => {
    const text = clip(column.heading, column.width);
    return { text, styled: styled('dim', text) };
  });
  const body = rows.map((row, at) =>
    line((column) => {
      const text = clip(column.cells[at] ?? '', column.width);
      return { text, styled: column.style?.(text, row) ?? text };
    }),
  );
  return [heading, ...body].map((text) => clip(text, width));
}

type Fitting = { width: number; flexible?: true; spare?: number };

/** Chooses the columns that fit this width. Optional flexible ones shrink first, then the others. */
function fitted<Filled extends Fitting>(columns: readonly Filled[], width: number): Filled[] {
  const shown = [...columns];
  while (widthOfLine(shown.map((column) => ({ ...column, width: leastWidth(column) }))) > width) {
    const spared = shown.filter(isOptional).sort((a, b) => (a.spare ?? 0) - (b.spare ?? 0))[0];
    if (spared === undefined) break;
    shown.splice(shown.indexOf(spared), 1);
  }
  const flexible = shown.filter((column) => column.flexible);
  const isTooLong = () => widthOfLine(shown) > width;
  shrink(flexible.filter(isOptional), isTooLong);
  shrink(flexible, isTooLong);
  return shown;
}

/** Takes from the widest column, again and again, until the line fits or all are as narrow as they may be. */
function shrink(columns: readonly Fitting[], isTooLong: () => boolean): void {
  while (isTooLong()) {
    const widest = columns.reduce<Fitting>((a, b) => (b.width > a.width ? b : a), { width: 0 });
    if (widest.width <= COLUMN_WIDTH_MIN) return;
    widest.width--;
  }
}

function isOptional({ spare }: Fitting): boolean {
  return spare !== undefined;
}

function leastWidth(column: Fitting): number {
  if (!column.flexible) return column.width;
  return Math.min(column.width, isOptional(column) ? COLUMN_WIDTH_MIN : MAIN_WIDTH_MIN);
}

function widthOfLine(columns: readonly Fitting[]): number {
  return columns.reduce((sum, { width }) => sum + width + GAP.length, -GAP.length);
}

/** Returns the width; output to anything but a terminal is never cut. */
function terminalWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY;
}

/** Formats the distance to a moment in its largest unit: `3m ago`, `in 2h`. */
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

export function styledStatus(text: string, task: Pick<TaskBrief, 'status' | 'ready'>): string {
  if (task.ready) return styled('green', text);
  if (task.status === 'in_progress') return styled('cyan', text);
  return task.status === 'blocked' ? styled('red', text) : styled('dim', text);
}

export function styledPriority(text: string, priority: (typeof PRIORITIES)[number]): string {
  if (priority === 'critical') return styled('red', text);
  if (priority === 'high') return styled('yellow', text);
  return priority === 'low' ? styled('dim', text) : text;
}

/** Formats a task's holder, its obstacles, and its place. */
function noteOf(task: TaskBrief): string {
  return [
    holderOf(task),
    task.blocked_reason,
    task.unproven && `unproven: ${task.unproven.join(', ')}`,
    task.open_dependencies && `waits for ${task.open_dependencies}`,
    task.open_parts && partsOf(task.open_parts),
    task.parent && `part of ${task.parent}`,
  ]
    .filter(Boolean)
    .join('; ');
}

function holderOf({ locked_by, session, locked_until }: TaskBrief): string {
  if (locked_by === undefined) return '';
  return [locked_by, session && `session ${session}`, locked_until && lease(locked_until)].filter(Boolean).join(', ');
}

function partsOf(count: number): string {
  return count === 1 ? '1 open part' : `${count} open parts`;
}

export function attemptsOf(count: number): string {
  return `Given up ${times(count)}`;
}

export function lease(until: string): string {
  const distance = fromNow(until);
  return distance.startsWith('in ') ? `${distance.slice(3)} left` : `expired ${distance}`;
}

export function taskTable(tasks: readonly TaskBrief[], width?: number): string[] {
  return table<TaskBrief>(
    tasks,
    [
      { heading: 'REF', text: ({ ref }) => ref, style: (text) => styled('bold', text) },
      { heading: 'STATUS', text: statusOf, style: styledStatus },
      {
        heading: 'PRIORITY',
        text: ({ priority }) => priority,
        style: (text, task) => styledPriority(text, task.priority),
        spare: 4,
      },
      { heading: 'RANK', text: ({ rank }) => rank?.toString() ?? '', spare: 2 },
      { heading: 'TITLE', text: ({ title }) => title, flexible: true },
      {
        heading: 'LABELS',
        text: ({ labels = [] }) => labels.join(', '),
        style: (text) => styled('cyan', text),
        flexible: true,
        spare: 1,
      },
      { heading: 'NOTE', text: noteOf, style: (text) => styled('dim', text), flexible: true, spare: 3 },
    ],
    width,
  );
}
