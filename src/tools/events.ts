import type * as z from 'zod';
import {
  EventPage,
  ListEvents,
  listEvents,
  RecordEvent,
  RecordedEvent,
  recordEvent,
  WaitForEvents,
  waitForEvents,
} from '../services/events.ts';
import { eventLine, lines, nextPage } from './render.ts';
import { tasks } from './tasks.ts';
import { toolset } from './tool.ts';

export const events = toolset(
  'events',
  {
    purpose: 'the timeline',
    description: 'What happened: timelines, notes, and waiting for what comes next.',
    scopes: tasks.scopes,
  },
  {
    record_event: {
      title: 'Record a note',
      description:
        'Tell the other agents something about a task or the project: progress, a risk, a question, or the answer to one. ' +
        'Works on tasks that others hold.',
      effect: 'write',
      input: RecordEvent,
      output: RecordedEvent,
      run: recordEvent,
      render: ({ kind, about, seq }) => `Recorded ${kind} #${seq} on ${about}.`,
    },
    list_events: {
      title: 'Read the timeline',
      description: 'Read what happened to a task, a project or everywhere, newest first.',
      effect: 'read',
      input: ListEvents,
      output: EventPage,
      run: listEvents,
      render: renderEvents,
    },
    wait_for_events: {
      title: 'Wait for events',
      description:
        'Wait until something happens, e.g. an answer, or the end of a task that others hold. Call it again with the ' +
        'returned position to wait on.',
      effect: 'read',
      input: WaitForEvents,
      output: EventPage,
      run: waitForEvents,
      render: renderEvents,
    },
  },
);

function renderEvents({ events: found, position, next_cursor, not_shown }: z.infer<typeof EventPage>): string {
  return lines(
    found.length === 0 ? 'No events.' : found.map(eventLine),
    nextPage(next_cursor),
    not_shown,
    `position ${position}`,
  );
}
