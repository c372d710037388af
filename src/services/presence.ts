import type { Actor, Database } from '../db/database.ts';

/** A process's report: its agents with recent calls, whether its connection shows that it lives, whether it ends. */
export type Presence = { agents: readonly string[]; watched: boolean; ended: boolean };

/** Updates the row of the actor's process, renews its agents' locks, and ends processes whose connection is gone. */
export async function reportPresence(db: Database, presence: Presence, actor: Actor): Promise<void> {
  await db.call('report_presence', presence, actor);
}
