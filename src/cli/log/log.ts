import type { Config } from '../../config.ts';
import type { EventBrief } from '../../services/events.ts';
import { events as eventTools } from '../../tools/events.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { readPages } from '../pagination.ts';
import { taskRef } from '../tasks/refs.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';

export type LogOptions = JsonOption & { type?: string[]; limit: number };

/** `cairn log [REF]`: what happened, latest first. */
export async function runLog(config: Config, given: string | undefined, options: LogOptions): Promise<void> {
  const { type: types, limit } = options;
  const found = await inLocalContext(config, async (ctx) => {
    const task = given && (await taskRef(ctx, given));
    const { items, more } = await readPages(
      limit,
      (asked) => perform(ctx, eventTools.commands.list_events, { task, types, ...asked }),
      ({ events }) => events,
    );
    return { events: items, more };
  });
  printResult(found, options, ({ events, more }) => [
    ...(events.length === 0 ? ['Nothing happened yet.'] : eventTable(events)),
    ...(more ? [styled('dim', `Only the latest ${events.length}; --limit shows more.`)] : []),
  ]);
}

export function eventTable(events: readonly EventBrief[]): string[] {
  return table<EventBrief>(events, [
    { heading: '#', text: ({ seq }) => String(seq), style: (text) => styled('dim', text) },
    { heading: 'WHEN', text: ({ at }) => fromNow(at), style: (text) => styled('dim', text), spare: 2 },
    { heading: 'WHO', text: ({ by }) => by, style: (text) => styled('cyan', text), flexible: true, spare: 3 },
    {
      heading: 'IMPORTED BY',
      text: importer,
      style: (text) => styled('yellow', text),
      spare: 1,
    },
    { heading: 'TASK', text: ({ task = '' }) => task, style: (text) => styled('bold', text) },
    { heading: 'WHAT', text: whatOf, flexible: true },
  ]);
}

/** Names the person who imported an event, and tells when the import cleaned it. */
export function importer({ imported_by = '', cleaned }: EventBrief): string {
  return cleaned ? `${imported_by}, cleaned` : imported_by;
}

/** Describes an event on one line, with the kind of its subject where the task does not tell. */
export function whatOf({ type, text, task }: EventBrief): string {
  const what = text.replace(/\s+/g, ' ');
  return task === undefined ? `${type.split('.')[0]} ${what}` : what;
}
