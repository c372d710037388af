import type { Context } from '../context.ts';
import { getProject } from '../services/projects.ts';
import { SLUG } from '../text.ts';

const NUMBER = /^#?(\d+)$/;

/** The ref of a task as a person writes it: in the project that is meant its number is enough, `12`, `#12` or `web12`. */
export async function taskRef(ctx: Context, given: string): Promise<string> {
  const [, number] = NUMBER.exec(given) ?? [];
  if (number !== undefined) return `${await slugOf(ctx)}-${number}`;
  const slug = ctx.project ?? '';
  const behind = given.toLowerCase().startsWith(slug) ? given.slice(slug.length) : '';
  return SLUG.test(slug) && /^-?\d+$/.test(behind) ? `${slug}-${behind.replace('-', '')}` : given;
}

export function taskRefs(ctx: Context, given: readonly string[]): Promise<string[]> {
  return Promise.all(given.map((ref) => taskRef(ctx, ref)));
}

async function slugOf(ctx: Context): Promise<string> {
  if (ctx.project !== undefined && SLUG.test(ctx.project)) return ctx.project;
  return (await getProject(ctx, {})).project.slug;
}
