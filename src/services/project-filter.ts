import type { Context } from '../context.ts';
import { line } from '../text.ts';

const EVERYWHERE = '*';

/** A project, where the whole workspace may be meant too. */
export const ProjectFilter = line(80).optional().describe(`Project slug, ${EVERYWHERE} for all.`);

/** The project to look into: the named one, else the configured one; undefined is the workspace. */
export function projectFilter(ctx: Context, project: string | undefined): string | undefined {
  return project === EVERYWHERE ? undefined : (project ?? ctx.project);
}
