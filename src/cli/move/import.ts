import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import { checklistName } from '../../formats/checklist.ts';
import type { ForeignTask } from '../../formats/foreign-task.ts';
import { detectFormat, FORMATS, type FormatName, readForeign } from '../../formats/formats.ts';
import { adoptTasks, findAdopted } from '../../services/adoption.ts';
import { planAdoption, statusHere } from '../../services/adoption-plan.ts';
import { clean, firstOf, oneLine } from '../../text.ts';
import { projects as projectTools } from '../../tools/projects.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { refuseAgent } from '../require-person.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { isHistory, readSource } from './import-source.ts';

const TASKS_MAX = 50_000;
const NAME_CHARACTERS_MAX = 200;
const WARNINGS_SHOWN = 20;
const WARNING_CHARACTERS = 400;

export type ImportOptions = JsonOption & { from?: string; project?: string; dryRun?: boolean };

/** `cairn import PATH`: tasks of another tool, or a history that Cairn exported. */
export async function runImport(config: Config, path: string, options: ImportOptions): Promise<void> {
  if (options.from === 'history' || (options.from === undefined && (await isHistory(path)))) {
    // Its events are those of others, also of people.
    refuseAgent(config);
    return (await import('./transfer.ts')).runImport(config, path, options);
  }
  const { files, format: placed, warnings } = await readSource(path);
  const first = files[0];
  if (first === undefined)
    throw new DomainError('invalid_input', `${path} has no tasks.`, { hint: 'Name another file.' });
  const format = (options.from as FormatName | undefined) ?? placed ?? detectFormat(first);
  const { label } = FORMATS[format];
  const read = readForeign(format, files);
  const plan = planAdoption(read.tasks, [...warnings, ...read.warnings]);
  if (plan.tasks.length > TASKS_MAX) {
    throw new DomainError('payload_too_large', `${path} has ${plan.tasks.length} tasks; ${TASKS_MAX} at most.`, {
      hint: 'Import it in parts.',
    });
  }
  await inLocalContext(config, async (ctx) => {
    const slug = options.project ?? config.project;
    const project = await findProject(ctx, slug);
    const about = { from: label, project: project?.slug ?? slug ?? '', new_project: project === undefined };
    const heading = (format === 'markdown' && checklistName(first.text)) || undefined;
    const name = firstOf(heading ?? slug ?? '', NAME_CHARACTERS_MAX);
    if (heading !== undefined && project !== undefined && project.name !== heading) {
      plan.warnings.push(`The heading "${heading}" was left out: the project is called "${project.name}".`);
    }
    if (options.dryRun) {
      const present = project === undefined ? [] : await findAdopted(ctx, plan, { project, format });
      const byKey = new Map(plan.tasks.map((task) => [task.key, task]));
      const tasks = plan.tasks.map((task) => ({ ...task, becomes: statusHere(task, byKey) }));
      return printResult({ ...about, ...plan, tasks, present }, options, showPlan);
    }
    if (plan.tasks.length === 0) {
      const nothing = { ...about, tasks: 0, created: 0, present: 0, moved: 0, warnings: plan.warnings };
      return printResult(nothing, options, () => [
        `${label}: no tasks. Nothing was changed.`,
        ...shownWarnings(plan.warnings),
      ]);
    }
    const target = project ?? (await perform(ctx, projectTools.commands.create_project, { slug, name }));
    const adopted = await adoptTasks(ctx, plan, { project: target, format });
    printResult({ ...about, tasks: plan.tasks.length, ...adopted }, options, (result) => [
      summaryOf(result, result.tasks),
      `Created ${result.created}; ${result.present} were there already${keptStatus(result.moved)}.`,
      ...shownWarnings(result.warnings),
    ]);
  });
}

type About = { from: string; project: string; new_project: boolean };

/** Finds the project to import into; undefined for a named one that does not exist yet. */
async function findProject(
  ctx: Context,
  slug: string | undefined,
): Promise<{ id: string; slug: string; name: string } | undefined> {
  if (slug !== undefined) {
    try {
      return (await perform(ctx, projectTools.commands.get_project, { project: slug })).project;
    } catch (error) {
      if (error instanceof DomainError && error.code === 'not_found') return undefined;
      throw error;
    }
  }
  const { projects } = await perform(ctx, projectTools.commands.list_projects, { page_size: 2 });
  const [only, other] = projects;
  if (only !== undefined && other === undefined) return only;
  throw new DomainError(
    'invalid_input',
    `There is ${only === undefined ? 'no project yet' : 'more than one project'}.`,
    {
      hint: 'Name one with --project; a new one is created.',
    },
  );
}

function summaryOf({ from, project, new_project }: About, tasks: number): string {
  return `${from}: ${count(tasks, 'task')} → ${new_project ? 'a new project ' : ''}${project}`;
}

function keptStatus(moved: number): string {
  if (moved === 0) return '';
  return `; ${moved} kept ${moved === 1 ? 'its' : 'their'} status (done, blocked, cancelled or begun)`;
}

type Planned = ForeignTask & { becomes: ForeignTask['status'] };

function showPlan(found: About & { tasks: Planned[]; warnings: string[]; present: string[] }): string[] {
  const present = new Set(found.present);
  return [
    summaryOf(found, found.tasks.length),
    ...found.tasks.map((task) => (present.has(task.key) ? styled('dim', `= ${line(task)}`) : `+ ${line(task)}`)),
    `Would create ${found.tasks.length - present.size}; ${present.size} are there already. Nothing was changed.`,
    ...shownWarnings(found.warnings),
  ];
}

function line({ key, title, status, becomes, priority, labels, dependencies, ...task }: Planned): string {
  const { parent, acceptance_criteria } = task;
  const about = [
    becomes,
    becomes !== status && status !== 'pending' && `${status.replace('_', ' ')} there`,
    priority,
    labels?.map((label) => `#${label}`).join(' '),
    parent !== undefined && `part of ${parent}`,
    dependencies.length > 0 && `after ${dependencies.join(', ')}`,
    acceptance_criteria !== undefined &&
      acceptance_criteria.length > 0 &&
      count(acceptance_criteria.length, 'criterion', 'criteria'),
  ];
  const name = key === '' || key.endsWith(title) ? '' : `${key} `;
  return clean(`${name}"${title}" (${about.filter(Boolean).join('; ')})`);
}

function shownWarnings(warnings: string[]): string[] {
  const shown = warnings.slice(0, WARNINGS_SHOWN).map((warning) => `! ${short(oneLine(warning))}`);
  const more = warnings.length - shown.length;
  return [...shown, ...(more > 0 ? [`! and ${more} more: --json shows all`] : [])].map((text) =>
    styled('yellow', clean(text)),
  );
}

function short(text: string): string {
  return text.length > WARNING_CHARACTERS ? `${firstOf(text, WARNING_CHARACTERS)}…` : text;
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
