import * as z from 'zod';
import { jsonObject, text } from '../text.ts';
import type { NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { newId } from './ids.ts';
import { ProjectRef } from './projects.ts';

export const SessionSaved = z.object({
  summary: text(10_000).optional(),
  snapshot: jsonObject(262_144).optional(),
});

/** @public */
export const sessionEvents = () =>
  ({
    'session.saved': {
      says: "a session's snapshot",
      creates: true,
      data: SessionSaved.extend({ project: ProjectRef.optional() }),
    },
    'session.updated': { says: 'a later snapshot of it', data: SessionSaved },
  }) as const satisfies EventTypes;

export const Session = z.object({
  id: z.string(),
  summary: z.string().optional(),
  snapshot: z.record(z.string(), z.unknown()),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Session = z.infer<typeof Session>;

export function sessionSaved(project: string | undefined, data: z.infer<typeof SessionSaved>): NewEvent<Session> {
  return { stream: `session:${newId()}`, type: 'session.saved', data: { ...data, project }, state: Session };
}

export function sessionUpdated(session: string, data: z.infer<typeof SessionSaved>): NewEvent<Session> {
  return { stream: `session:${session}`, type: 'session.updated', data, state: Session };
}
