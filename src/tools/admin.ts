import { EventBrief } from '../services/events.ts';
import { RedactEvent, redactEvent } from '../services/history.ts';
import { BreakLock, breakLock, ChangedTask } from '../services/tasks.ts';
import { eventLine } from './render.ts';
import { renderChange } from './task-text.ts';
import { toolset } from './tool.ts';

export const admin = toolset(
  'admin',
  { description: 'What only an owner or admin of the workspace may do.', scopes: 'admin' },
  {
    break_lock: {
      title: 'Break a lock',
      description:
        "End another agent's claim on a task when it is known to be gone. Its lock_token is worth nothing from then on.",
      effect: 'destructive',
      input: BreakLock,
      output: ChangedTask,
      run: breakLock,
      render: renderChange,
    },
    redact_event: {
      title: 'Redact an event',
      description:
        'Blank what an event says, for good, e.g. a leaked secret. That it was redacted stays on the record.',
      effect: 'destructive',
      idempotent: true,
      input: RedactEvent,
      output: EventBrief,
      run: redactEvent,
      render: (event) => `Redacted ${eventLine(event)}`,
    },
  },
);
