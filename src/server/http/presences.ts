import type { Actor, Database } from '../../db/database.ts';
import type { Log } from '../../log.ts';
import { ProcessPresence } from '../presence.ts';

const PRESENCES_MAX = 10_000;
// Sessions are many, and a beat only shows that the client has not ended its session.
const SESSION_BEAT_MS = 60_000;

/**
 * The presence of each session, and of each grant with requests outside of sessions, by the process that owns their
 * locks.
 */
export function createPresences({ db, log }: { db: Database; log: Log }) {
  const presences = new Map<string, ProcessPresence>();

  return {
    /** Reports a session before its first call runs: another of the same name must not take it for an earlier one. */
    async find(process: string, { actor, isSession }: { actor: Actor; isSession: boolean }): Promise<ProcessPresence> {
      const presence = presences.get(process) ?? new ProcessPresence({ db, log, actor });
      // Moves the last used one to the end.
      presences.delete(process);
      presences.set(process, presence);
      const [oldest] = presences;
      if (presences.size > PRESENCES_MAX && oldest !== undefined) {
        oldest[1].stop();
        presences.delete(oldest[0]);
      }
      if (isSession) await presence.start(SESSION_BEAT_MS);
      return presence;
    },

    /** Leaves when the client ends its session, or when the server forgets one without knowing whether it ended. */
    async leave(process: string, { ended }: { ended: boolean }): Promise<void> {
      const presence = presences.get(process);
      presences.delete(process);
      if (ended) await presence?.end();
      else presence?.stop();
    },
  };
}
