import { ENDED, type Task } from '../../events/task-forms.ts';
import type { ChangedTask, Consequences } from '../../services/tasks.ts';
import { eventSentence, readyNow } from '../../tools/render.ts';
import { styled } from '../terminal/output.ts';
import { remainderLines } from './needs.ts';

/** Formats what a person should know after a command on a task: the parts that it leaves open, and its consequences. */
export function afterChange({ task, repeated, ...answer }: ChangedTask): string[] {
  const { status, warning } = task;
  return [
    ...(repeated ? ['It was done before: nothing was changed.'] : []),
    ...(ENDED.has(status) ? openPartsOf(task) : []),
    ...(warning === undefined ? [] : [styled('yellow', warning)]),
    ...consequenceLines(answer),
  ];
}

/** Names the parts that are still open. */
export function openPartsOf({ parts = [], open_parts = 0 }: Pick<Task, 'parts' | 'open_parts'>): string[] {
  if (parts.length === 0) return [];
  const more = open_parts > parts.length ? ` and ${open_parts - parts.length} more` : '';
  return [styled('yellow', `Its parts are still open: ${parts.join(', ')}${more}.`)];
}

/** Formats what rules and dependencies did after a change, and the tasks that became ready. */
export function consequenceLines({ followed = [], followed_total = 0, ...ready }: Consequences): string[] {
  const shown = followed.map(({ type, ref }) => (ref === undefined ? withoutRef(type) : `${ref} ${verbOf(type)}`));
  return [
    ...(shown.length === 0 ? [] : [`In consequence: ${shown.join(', ')}.`]),
    ...remainderLines(followed_total - followed.length, 'that followed', 'cairn log'),
    ...readyNow(ready),
  ];
}

function withoutRef(type: string): string {
  return `${eventSentence(type)}${type.startsWith('alert.') ? ' (cairn alerts)' : ''}`;
}

function verbOf(type: string): string {
  return type.slice(type.indexOf('.') + 1).replaceAll('_', ' ');
}
