import type { Context } from '../context.ts';
import { line } from '../text.ts';

const EVERYWHERE = '*';

/** A project, or the whole workspace. */
export const ProjectFilter = line(80).optional().describe(`Project slug, ${EVERYWHERE} for all.`);

/** Returns the project to search: the named one, otherwise the configured one; undefined is the workspace. */
export function projectFilter(ctx: Context, project: string | undefined): string | undefined {
  return project === EVERYWHERE ? undefined : (project ?? ctx.project);
}
