import { join, relative } from 'node:path';
import { writeOutput } from '../../atomic-write.ts';
import { planEdit } from '../../clients/changes.ts';
import { findRepository } from '../../clients/detect.ts';
import { type Config, thisHost } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { findProjectFile, PROJECT_FILE } from '../../project-file.ts';
import { escaped } from '../../text.ts';
import { projects as projectTools } from '../../tools/projects.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';

/** `cairn use SLUG`: binds the repository, otherwise the directory, to a project; without one, prints the binding. */
export async function runUse(config: Config, slug: string | undefined, options: JsonOption): Promise<void> {
  const bound = findProjectFile(process.cwd());
  if (slug === undefined) return printLine(config, bound, options);
  const root = (await findRepository(process.cwd(), thisHost())) ?? process.cwd();
  const { project } = await inLocalContext(config, (ctx) =>
    perform(ctx, projectTools.commands.get_project, { project: slug }),
  );
  // A binding further up covers other repositories too.
  const isOwn = bound !== undefined && !relative(root, bound.file).startsWith('..');
  const file = isOwn ? bound.file : join(root, PROJECT_FILE);
  const edit = await planEdit(file, { kind: 'json', path: ['project'], value: project.slug });
  if (edit !== null) await writeOutput(file, edit.after);
  printResult({ project: project.slug, file }, options, () => [
    `${escaped(file)} says ${styled('bold', project.slug)}: commands and agents started here use it.`,
  ]);
}

function printLine({ project }: Config, bound: ReturnType<typeof findProjectFile>, options: JsonOption): void {
  if (project === undefined) {
    throw new DomainError('not_found', 'This directory is bound to no project.', {
      hint: '`cairn use SLUG` binds it; `cairn project list` shows those there are.',
    });
  }
  const from = bound?.project === project ? bound.file : undefined;
  printResult({ project, file: from }, options, () => [
    `${styled('bold', project)}, from ${from === undefined ? '--project or CAIRN_PROJECT' : escaped(from)}`,
  ]);
}
