import { setTimeout as sleep } from 'node:timers/promises';
import { hasBriefFile, isEmbedded, listBriefs, type Place, removeBrief, writeBrief } from '../brief-files.ts';
import { type Context, SCOPES } from '../context.ts';
import { domainErrorFrom } from '../errors.ts';
import { resumeProject } from '../services/checkpoints.ts';
import { brief } from './brief.ts';
import { time } from './render.ts';

const PROJECTS_MAX = 20;
const LEAVE_MS_MAX = 500;

type Leaving = Pick<Context, 'db' | 'actor' | 'log' | 'project'>;

/**
 * Writes beside the embedded database where the caller's project stands, and each about which something lies there already:
 * a hook that finds no database running tells an agent so. Nobody waits for long, and nothing fails by it.
 */
export async function leaveBriefs(leaving: Leaving, place: Place): Promise<void> {
  if (!isEmbedded(place)) return;
  const { dataDir } = place;
  const own = leaving.project !== undefined && hasBriefFile(leaving.project) ? [leaving.project] : [];
  const projects = new Set([...own, ...(await listBriefs(dataDir))]);
  const all = Promise.all([...projects].slice(0, PROJECTS_MAX).map((project) => leave(leaving, dataDir, project)));
  await Promise.race([all, sleep(LEAVE_MS_MAX, undefined, { ref: false })]);
}

async function leave({ db, actor, log }: Leaving, dataDir: string, project: string): Promise<void> {
  const { user_id, tenant_id } = actor;
  // Whoever comes next is nobody yet: it is shown no lock as its own, and no token.
  const nobody = { user_id, ...(tenant_id !== undefined && { tenant_id }), client: 'hook' };
  try {
    const { mine: _, ...found } = await resumeProject({ db, log, scopes: new Set(SCOPES), actor: nobody, project }, {});
    const heading = `As of ${time(new Date().toISOString())}, when Cairn was last left:`;
    await writeBrief(dataDir, project, brief(found, heading));
  } catch (err) {
    if (domainErrorFrom(err).code === 'not_found') await removeBrief(dataDir, project).catch(() => {});
    else log.debug({ err }, 'no brief is left behind');
  }
}
