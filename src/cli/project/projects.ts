import { readBounded, unusableFile } from '../../bounded-read.ts';
import type { Config } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { ArchiveProject, CreateProject } from '../../services/projects.ts';
import { escaped } from '../../text.ts';
import { projects as projectTools } from '../../tools/projects.ts';
import { inLocalContext, parseGiven, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { readPages } from '../pagination.ts';
import { projectTable } from '../tasks/status.ts';
import { textOption } from '../tasks/text-given.ts';
import { canAsk } from '../terminal/ask.ts';
import { writeInEditor } from '../terminal/editor.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';

const RULES_BYTES_MAX = 131_072;
const EXPLANATION =
  'What is the project about? Goal, stack, conventions. Nothing changed, or nothing left, changes nothing.';

export type ProjectOptions = JsonOption & { name?: string; description?: string; rules?: string };

/** `cairn project create SLUG`. */
export async function runCreateProject(config: Config, slug: string, options: ProjectOptions): Promise<void> {
  const { name = slug } = options;
  const description = await textOption(options.description);
  const input = parseGiven(CreateProject, { slug, name, description, rules: rulesIn(options.rules) });
  const project = await inLocalContext(config, (ctx) => perform(ctx, projectTools.commands.create_project, input));
  printResult(project, options, () => [
    `Created the project ${styled('bold', slug)} "${project.name}".`,
    styled('dim', `Then: cairn use ${slug} in its repository, cairn add "…" --project ${slug}`),
  ]);
}

/** `cairn project edit [SLUG]`: by options, otherwise its description in an editor. */
export async function runEditProject(config: Config, slug: string | undefined, options: ProjectOptions): Promise<void> {
  const { name } = options;
  const description = await textOption(options.description);
  const rules = rulesIn(options.rules);
  const changed = await inLocalContext(config, async (ctx) => {
    const { project } = await perform(ctx, projectTools.commands.get_project, { project: slug });
    const change = (changes: object) => {
      const input = { project: project.slug, ...changes, expected_version: project.version };
      return perform(ctx, projectTools.commands.update_project, input);
    };
    if (name !== undefined || description !== undefined || rules !== undefined)
      return change({ name, description, rules });
    if (!canAsk(options)) throw unsaid();
    const before = project.description ?? '';
    return writeInEditor(before, EXPLANATION, async (after) =>
      after === before.trim() || after === '' ? null : change({ description: after }),
    );
  });
  printResult(changed, options, (project) =>
    project === null
      ? ['Nothing was changed.']
      : [`Changed the project ${styled('bold', project.slug)} "${project.name}".`],
  );
}

function unsaid(): DomainError {
  return mistyped('Change what?', 'Use --name, --description or --rules. In a terminal an editor opens.');
}

/** Reads rules from a file of JSON. */
function rulesIn(file: string | undefined): unknown {
  if (file === undefined) return undefined;
  const written = readBounded(file, RULES_BYTES_MAX);
  if (written === null) throw unusableFile(file, { code: 'ENOENT' });
  try {
    return JSON.parse(written);
  } catch (cause) {
    throw new DomainError('invalid_input', `The file ${escaped(file)} is not JSON.`, {
      hint: 'Rules are an object like {"gates": [{"on": "complete", "require": {"approval": true}}]}.',
      cause,
    });
  }
}

export type ListOptions = JsonOption & { all?: true };

/** `cairn project list`. */
export async function runListProjects(config: Config, options: ListOptions): Promise<void> {
  const { items: projects } = await inLocalContext(config, (ctx) =>
    readPages(
      Number.POSITIVE_INFINITY,
      (asked) => perform(ctx, projectTools.commands.list_projects, { include_archived: options.all, ...asked }),
      (page) => page.projects,
    ),
  );
  printResult({ projects }, options, projectTable);
}

/** `cairn project archive SLUG`: hides the project; it stays readable. */
export async function runArchiveProject(
  config: Config,
  slug: string,
  options: JsonOption & { reason?: string },
): Promise<void> {
  const input = parseGiven(ArchiveProject, { project: slug, reason: options.reason });
  const project = await inLocalContext(config, (ctx) => perform(ctx, projectTools.commands.archive_project, input));
  printResult(project, options, () => [
    `Archived the project ${styled('bold', slug)}; \`cairn project unarchive ${slug}\` takes it back.`,
  ]);
}

/** `cairn project unarchive SLUG`. */
export async function runUnarchiveProject(config: Config, slug: string, options: JsonOption): Promise<void> {
  const project = await inLocalContext(config, (ctx) =>
    perform(ctx, projectTools.commands.unarchive_project, { project: slug }),
  );
  printResult(project, options, () => [`The project ${styled('bold', slug)} is open again.`]);
}
