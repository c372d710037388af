import { Session } from '../events/sessions.ts';
import { quote } from '../quote.ts';
import { ListSessions, listSessions, SaveSession, SessionPage, saveSession } from '../services/sessions.ts';
import { projects } from './projects.ts';
import { lines, nextPage, time } from './render.ts';
import { toolset } from './tool.ts';

export const sessions = toolset(
  'sessions',
  {
    purpose: "snapshots of an agent's session",
    description: 'The older form of checkpoints, kept for the agents that use it.',
    scopes: projects.scopes,
  },
  {
    save_session: {
      title: 'Save a session',
      description: "Save or replace an agent's session. A checkpoint (save_checkpoint) is the better form.",
      effect: 'write',
      input: SaveSession,
      output: Session,
      run: saveSession,
      render: ({ id, updated_at }) => `Saved session ${id}, ${time(updated_at)}.`,
    },
    list_sessions: {
      title: 'List sessions',
      description: 'Read the saved sessions of a project, latest first.',
      effect: 'read',
      input: ListSessions,
      output: SessionPage,
      run: listSessions,
      render: ({ sessions: found, next_cursor }) =>
        found.length === 0
          ? 'No sessions.'
          : lines(
              found.map(({ id, updated_at, summary, snapshot }) =>
                lines(
                  `${id}, ${time(updated_at)}: ${quote(summary ?? '', 2_000)}`,
                  `snapshot: ${JSON.stringify(snapshot)}`,
                ),
              ),
              nextPage(next_cursor),
            ),
    },
  },
);
