import type { Context } from '../../src/context.ts';

type Report = { agents: readonly string[]; watched: boolean; ended: boolean };

/** Reports the presence of the actor's process, as the server does for it. */
export async function reportPresence({ db, actor }: Pick<Context, 'db' | 'actor'>, said: Partial<Report> = {}) {
  await db.call('report_presence', { agents: [], watched: false, ended: false, ...said }, actor);
}
