import type { Actor, Database } from '../db/database.ts';

/** What a process says of itself: which of its agents called lately, whether its connection shows that it lives, that it ends. */
export type Presence = { agents: readonly string[]; watched: boolean; ended: boolean };

/** Keeps the row of the actor's process, renews what its agents hold, and ends the processes whose connection is gone. */
export async function reportPresence(db: Database, presence: Presence, actor: Actor): Promise<void> {
  await db.call('report_presence', presence, actor);
}
