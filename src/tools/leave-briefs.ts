import {
  hasBriefFile,
  isEmbedded,
  listBriefs,
  type Place,
  removeBrief,
  withBriefsLocked,
  writeBrief,
} from '../brief-files.ts';
import { type Context, SCOPES } from '../context.ts';
import { within } from '../deadline.ts';
import { domainErrorFrom } from '../errors.ts';
import { resumeProject } from '../services/checkpoints.ts';
import { brief } from './brief.ts';
import { time } from './render.ts';

const LEAVE_MS_MAX = 500;

/** The actor is the local one: a slug that a project of another workspace has too is not meant. */
type Leaving = Pick<Context, 'db' | 'actor' | 'log' | 'project'>;

/**
 * Writes beside the embedded database where the caller's project stands, and each about which something lies there already,
 * those that are the oldest first: a hook that finds no database running tells an agent so. Nobody waits for long, and nothing fails by it.
 */
export async function leaveBriefs(leaving: Leaving, place: Place): Promise<void> {
  await leave(leaving, place, { others: true });
}

/** As `leaveBriefs`, of the caller's project alone. */
export async function leaveOwnBrief(leaving: Leaving, place: Place): Promise<void> {
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

async function leaveOne({ db, actor, log, project }: One, dataDir: string, deadline: number): Promise<void> {
  const { user_id, tenant_id } = actor;
  // Whoever comes next is nobody yet: it is shown no lock as its own, and no token.
  const nobody = { user_id, ...(tenant_id !== undefined && { tenant_id }), client: 'hook' };
  try {
    const resumed = resumeProject({ db, log, scopes: new Set(SCOPES), actor: nobody, project }, {});
    const { mine: _, ...found } = await within(deadline - performance.now(), 'a brief', resumed);
    // Halted meanwhile, it may have lost the lock, and what it read is old.
    if (performance.now() > deadline) return;
    const heading = `As of ${time(new Date().toISOString())}, when Cairn was last left:`;
    await writeBrief(dataDir, project, brief(found, heading));
  } catch (err) {
    if (domainErrorFrom(err).code === 'not_found') await removeBrief(dataDir, project).catch(() => {});
    else log.debug({ err }, 'no brief is left behind');
  }
}
