import type { DomainError } from '../errors.ts';
import type { DecisionBrief } from '../events/decisions.ts';
import type { TaskBrief } from '../events/task-forms.ts';
import { named, quote, quoteLines, shorten } from '../quote.ts';
import type { EventBrief } from '../services/events.ts';
import type { Consequences } from '../services/tasks.ts';

const MINUTE_MS = 60_000;
const DETAILS_CHARACTERS_MAX = 2_000;

/** Shows stored text unchanged, each line marked. */
export function block(label: string, text: string): string {
  return text.includes('\n') || text.length > 300 ? `${label}:\n${quoteLines(text)}` : `${label}: ${quote(text)}`;
}

/** Joins the present lines and skips absent ones. */
export function lines(...parts: (string | string[] | undefined | false)[]): string {
  return parts
    .flat()
    .filter((part) => part !== undefined && part !== false && part !== '')
    .join('\n');
}

/** Formats a headed list, or nothing. */
export function section<Item>(heading: string, items: Item[] | undefined, show: (item: Item) => string): string[] {
  if (items === undefined || items.length === 0) return [];
  return [`${heading}:`, ...items.map((item) => `- ${show(item)}`)];
}

/** Formats a time to the second. Text that is no date stays as it is. */
export function time(at: string): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? at : `${date.toISOString().slice(0, 19)}Z`;
}

export function counted(counts: Readonly<Record<string, number | undefined>>): string {
  const shown = Object.entries(counts).filter(([, count = 0]) => count > 0);
  return shown.length === 0 ? 'no tasks' : shown.map(([status, count]) => `${count} ${status}`).join(', ');
}

export function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

export function amount(count: number, one: string): string {
  return `${count} ${count === 1 ? one : `${one}s`}`;
}

/** Formats a span of time: `0.3 s`, `2 m 5 s`, `3 h 10 m`. */
export function took(ms: number): string {
  if (ms < MINUTE_MS) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(ms / MINUTE_MS);
  return minutes < 60
    ? `${minutes} m ${Math.floor((ms % MINUTE_MS) / 1_000)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}

/** Formats a number of bytes: `37.2 MB`. */
export function byteSize(bytes: number): string {
  if (bytes < 1_000) return amount(bytes, 'byte');
  return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} KB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

export function taskLine(task: TaskBrief): string {
  return [task.ref, `[${task.priority}]`, quote(task.title), ...labelsOf(task), taskState(task)].join(' ');
}

/** Formats labels: `#auth`, `#"needs design"`. */
export function labelsOf({ labels = [] }: Pick<TaskBrief, 'labels'>): string[] {
  return labels.map((label) => `#${named(label)}`);
}

/** Formats the state of a task for a reader who knows the task. */
export function taskState(task: TaskBrief): string {
  return [
    task.ready ? 'ready' : task.status,
    unproven(task),
    task.locked_by !== undefined && holding(task.locked_by, task),
    task.session !== undefined && `its session ${task.session}`,
    task.open_dependencies !== undefined && `waits for ${amount(task.open_dependencies, 'task')}`,
    task.open_parts !== undefined && amount(task.open_parts, 'open part'),
    task.blocked_reason !== undefined && `reason ${quote(task.blocked_reason)}`,
    task.warning !== undefined && `warning ${quote(task.warning)}`,
    task.attempts !== undefined && `given up ${times(task.attempts)}`,
    task.parent !== undefined && `part of ${task.parent}`,
  ]
    .filter((part) => part !== false)
    .join(', ');
}

/** Names the criteria of a completed task without evidence. */
export function unproven({ unproven: criteria = [] }: Pick<TaskBrief, 'unproven'>): string | false {
  return criteria.length > 0 && `unproven ${criteria.join(', ')}`;
}

/** Names the holder, or the last one if the claim lapsed. */
function holding(by: string, { locked_until, ready }: TaskBrief): string {
  if (locked_until === undefined) return `held by ${named(by)}`;
  return ready
    ? `the claim of ${named(by)} lapsed ${time(locked_until)}`
    : `held by ${named(by)} until ${time(locked_until)}`;
}

export function eventLine(event: EventBrief): string {
  const subject = event.task ?? event.project;
  const about = subject === undefined ? '' : ` ${subject}`;
  const data = event.data === undefined ? '' : ` ${shorten(JSON.stringify(event.data), 2_000)}`;
  const imported =
    event.imported_by === undefined
      ? ''
      : ` (imported by ${named(event.imported_by)}${event.cleaned ? ', cleaned' : ''})`;
  return `#${event.seq} ${time(event.at)} ${named(event.by)}${imported}${about}: ${event.type.split('.')[0]} ${event.text}${data}`;
}

export function decisionLine(decision: DecisionBrief): string {
  const superseded = decision.superseded_by === undefined ? '' : ` (superseded by ${decision.superseded_by})`;
  return `${quote(decision.title)} → ${quote(decision.choice)} (${decision.id})${superseded}`;
}

export function nextPage(cursor: string | undefined): string | undefined {
  return cursor === undefined ? undefined : `More: pass cursor ${cursor}`;
}

export function consequences({ followed, followed_total, ...ready }: Consequences): string[] {
  const more = followed_total === undefined ? [] : [`and more, ${followed_total} in all: list_events shows them.`];
  return [
    ...section('In consequence', followed, ({ type, ref }) =>
      ref === undefined ? eventSentence(type) : `${type} ${ref}`,
    ),
    ...more,
    ...readyNow(ready),
  ];
}

/** Says what happened to something that has no ref: `an alert was raised`. */
export function eventSentence(type: string): string {
  const [category = '', verb = ''] = type.split('.');
  return `${/^[aeiou]/.test(category) ? 'an' : 'a'} ${category} was ${verb.replaceAll('_', ' ')}`;
}

/** Formats the tasks that a change made ready; only the first if there are many. */
export function readyNow({ freed, freed_total }: Pick<Consequences, 'freed' | 'freed_total'>): string[] {
  if (freed === undefined) return [];
  const more = freed_total === undefined ? '' : ` and ${freed_total - freed.length} more`;
  return [`Ready now: ${freed.join(', ')}${more}.`];
}

/** Formats what happened, what to do next, and the details that help. */
export function renderError(error: DomainError): string {
  const details = error.details === null ? '' : shorten(JSON.stringify(error.details), DETAILS_CHARACTERS_MAX);
  return lines(`${error.code}: ${error.message}`, error.hint ?? undefined, details !== '' && `details: ${details}`);
}
