import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { append } from '../events/append.ts';
import { ProjectRef } from '../events/projects.ts';
import { Session, SessionSaved, sessionSaved, sessionUpdated } from '../events/sessions.ts';
import { idListedBy } from './listed-id.ts';
import { page } from './pagination.ts';

export const SaveSession = z.strictObject({
  project: ProjectRef.optional(),
  session: idListedBy('list_sessions').optional().describe('Id of a saved session to replace.'),
  ...SessionSaved.shape,
});

/** Saves an agent's session, or replaces the saved one. */
export async function saveSession(
  ctx: Context,
  { project, session, ...data }: z.output<typeof SaveSession>,
): Promise<Session> {
  const event = session === undefined ? sessionSaved(project ?? ctx.project, data) : sessionUpdated(session, data);
  const { events } = await append(ctx, [event]);
  return events[0].state;
}

export const ListSessions = z.strictObject({ project: ProjectRef.optional(), ...page(5, 100) });

export const SessionPage = z.object({ sessions: z.array(Session), next_cursor: z.string().optional() });

const querySessions = sqlFunction('list_sessions', SessionPage);

export function listSessions(
  ctx: Context,
  { project, ...input }: z.output<typeof ListSessions>,
): Promise<z.infer<typeof SessionPage>> {
  return querySessions(ctx, { ...input, project: project ?? ctx.project });
}
