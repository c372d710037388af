import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import { isId } from '../../events/ids.ts';
import { SLUG } from '../../text.ts';
import { projects as projectTools } from '../../tools/projects.ts';
import { tasks as taskTools } from '../../tools/tasks.ts';
import { perform } from '../local-context.ts';

const NUMBER = /^#?(\d+)$/;
const REF = /^[a-z][a-z0-9-]*-\d+$/i;

/** Completes a task's ref as people write it: in the current project the number is enough, `12`, `#12` or `web12`. */
export async function taskRef(ctx: Context, given: string): Promise<string> {
  const [, number] = NUMBER.exec(given) ?? [];
  if (number !== undefined) return `${await slugOf(ctx)}-${number}`;
  return refIn(ctx.project, given) ?? given;
}

/** Tells whether a text has the form of a task's ref with its project: `web-12`. */
export function isTaskRef(text: string): boolean {
  return REF.test(text) && !isId(text);
}

export function taskRefs(ctx: Context, given: readonly string[]): Promise<string[]> {
  return Promise.all(given.map((ref) => taskRef(ctx, ref)));
}

/** Returns the task that the first word of a text names; undefined if it is a word of the text. */
export async function taskNamed(ctx: Context, word: string): Promise<string | undefined> {
  if (NUMBER.test(word) || isId(word) || refIn(ctx.project, word) !== undefined) return taskRef(ctx, word);
  if (!REF.test(word)) return undefined;
  // `utf-8` looks like the ref of another project.
  return perform(ctx, taskTools.commands.get_task, { task: word, timeline_size: 0 }).then(
    ({ ref }) => ref,
    (error) => {
      if (error instanceof DomainError && ['not_found', 'invalid_input'].includes(error.code)) return undefined;
      throw error;
    },
  );
}

/** Reads `web12` and `WEB-12` in the project web as `web-12`. */
function refIn(slug: string | undefined, given: string): string | undefined {
  if (slug === undefined || !SLUG.test(slug) || !given.toLowerCase().startsWith(slug)) return undefined;
  const [, number] = /^-?(\d+)$/.exec(given.slice(slug.length)) ?? [];
  return number === undefined ? undefined : `${slug}-${number}`;
}

async function slugOf(ctx: Context): Promise<string> {
  if (ctx.project !== undefined && SLUG.test(ctx.project)) return ctx.project;
  return (await perform(ctx, projectTools.commands.get_project, {})).project.slug;
}
