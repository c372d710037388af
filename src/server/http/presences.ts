import type { Actor, Database } from '../../db/database.ts';
import type { Log } from '../../log.ts';
import { ProcessPresence } from '../presence.ts';

const PRESENCES_MAX = 10_000;
// Sessions are many, and all that a beat shows of one is that its client has not ended it.
const SESSION_BEAT_MS = 60_000;

/** The presence of each session, and of each grant whose requests are of none, by the process that their locks are of. */
export function createPresences({ db, log }: { db: Database; log: Log }) {
  const presences = new Map<string, ProcessPresence>();

  return {
    /** A session is there before its first call is worked on: another that goes by its name must not take it for earlier. */
    async find(process: string, { actor, isSession }: { actor: Actor; isSession: boolean }): Promise<ProcessPresence> {
      const presence = presences.get(process) ?? new ProcessPresence({ db, log, actor });
      // The one that was used last goes last.
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

    /** The client has ended its session, or the server forgets one of which it does not know whether it ended. */
    async leave(process: string, { ended }: { ended: boolean }): Promise<void> {
      const presence = presences.get(process);
      presences.delete(process);
      if (ended) await presence?.end();
      else presence?.stop();
    },
  };
}
