import type { Task } from '../events/task-forms.ts';

const COLUMNS = [
  'ref',
  'title',
  'status',
  'priority',
  'dependencies',
  'parent',
  'acceptance_criteria',
  'description',
  'locked_by',
  'blocked_reason',
  'summary',
  'created_at',
  'completed_at',
  'unproven',
  'labels',
  'rank',
] as const;

/** Writes tasks as a table (RFC 4180). Lists are separated by line feeds. */
export function writeCsv(tasks: Task[]): string {
  const rows = tasks.map((task) => COLUMNS.map((column) => cell(field(task, column))).join(','));
  return `${[COLUMNS.join(','), ...rows].join('\r\n')}\r\n`;
}

function field(task: Task, column: (typeof COLUMNS)[number]): string {
  if (column === 'dependencies') return task.dependencies.map(({ ref }) => ref).join('\n');
  if (column === 'acceptance_criteria') return task.acceptance_criteria.join('\n');
  if (column === 'unproven' || column === 'labels') return task[column]?.join('\n') ?? '';
  if (column === 'rank') return String(task.rank ?? '');
  return task[column] ?? '';
}

function cell(value: string): string {
  // A spreadsheet would run text that begins like this as a formula; some accept the full-width forms too.
  const inert = /^[=+\-@\t\r\n＝＋－＠]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
