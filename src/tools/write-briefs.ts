import {
  hasBriefFile,
  isEmbedded,
  listBriefs,
  type Place,
  removeBrief,
  withBriefsLocked,
  writeBrief,
} from '../brief-files.ts';
import type { Context } from '../context.ts';
import { within } from '../deadline.ts';
import { domainErrorFrom } from '../errors.ts';
import { resumeProject } from '../services/checkpoints.ts';
import { brief } from './brief.ts';
import { time } from './render.ts';

const LEAVE_MS_MAX = 500;

/** The actor is the local one: another workspace's project with the same slug is not meant. */
type Leaving = Pick<Context, 'db' | 'blobs' | 'actor' | 'log' | 'project'>;

/**
 * Writes briefs beside the embedded database, of the caller's project and of those with a brief already, the oldest
 * first: a hook that finds no running database shows them to an agent. Nobody waits for long, and nothing fails because
 * of it.
 */
export async function writeBriefs(leaving: Leaving, place: Place): Promise<void> {
  await leave(leaving, place, { others: true });
}

/** Writes the brief of only the caller's project. */
export async function writeOwnBrief(leaving: Leaving, place: Place): Promise<void> {
  await leave(leaving, place, { others: false });
}

async function leave(leaving: Leaving, place: Place, { others }: { others: boolean }): Promise<void> {
  const { project = '', log } = leaving;
  const own = hasBriefFile(project) ? [project] : [];
  if (!isEmbedded(place) || (own.length === 0 && !others)) return;
  const { dataDir } = place;
  const deadline = performance.now() + LEAVE_MS_MAX;
  try {
    await withBriefsLocked(dataDir, LEAVE_MS_MAX, async () => {
      const there = await listBriefs(dataDir);
      for (const one of new Set([...own, ...(others ? there : [])])) {
        if (performance.now() > deadline) return;
        await leaveOne({ ...leaving, project: one }, dataDir, deadline);
      }
    });
  } catch (err) {
    log.debug({ err }, 'no brief is left behind');
  }
}

type One = Leaving & { project: string };

async function leaveOne({ db, blobs, actor, log, project }: One, dataDir: string, deadline: number): Promise<void> {
  const { user_id, tenant_id } = actor;
  // The next reader is unknown: it sees no lock as its own, and no token.
  const nobody = { user_id, ...(tenant_id !== undefined && { tenant_id }), client: 'hook' };
  try {
    const ctx: Context = { db, blobs, log, scopes: 'all', actor: nobody, project };
    const resumed = resumeProject(ctx, {});
    const { mine: _, ...found } = await within(deadline - performance.now(), 'a brief', resumed);
    // If halted meanwhile, it may have lost the lock, and its data is old.
    if (performance.now() > deadline) return;
    const heading = `As of ${time(new Date().toISOString())}, when Cairn was last left:`;
    await writeBrief(dataDir, project, brief(found, heading));
  } catch (err) {
    if (domainErrorFrom(err).code === 'not_found') await removeBrief(dataDir, project).catch(() => {});
    else log.debug({ err }, 'no brief is left behind');
  }
}
