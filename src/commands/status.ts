import type * as z from 'zod';
import type { Config } from '../config.ts';
import type { Context } from '../context.ts';
import { type Resumption, resumeProject } from '../services/checkpoints.ts';
import { listProjects, type ProjectPage } from '../services/projects.ts';
import { oneLine } from '../text.ts';
import { fromNow, table, taskTable } from './format.ts';
import { eventTable } from './log.ts';
import { answer, type JsonOption, paint } from './paint.ts';
import { asPerson } from './person.ts';
import { countsLine } from './tasks.ts';

const PROJECTS_MAX = 100;

/** `cairn status`: the project at a glance; without one, all of them. */
export async function runStatus(config: Config, options: JsonOption): Promise<void> {
  const { found, lines } = await asPerson(config, readStatus);
  answer(found, options, lines);
}

/** What there is to see, and how it looks on a terminal as wide as it is when asked. */
export async function readStatus(ctx: Context): Promise<{ found: object; lines(): string[] }> {
  const { projects } = await listProjects(ctx, { include_archived: false, page_size: PROJECTS_MAX });
  const project = ctx.project ?? (projects.length === 1 ? projects[0]?.slug : undefined);
  if (project === undefined) return { found: { projects }, lines: () => projectLines({ projects }) };
  const found = await resumeProject(ctx, { project });
  return { found, lines: () => statusLines(found) };
}

function projectLines({ projects }: Pick<z.infer<typeof ProjectPage>, 'projects'>): string[] {
  if (projects.length === 0) return ['No projects yet. `cairn init` makes one for this repository.'];
  return table(projects, [
    { heading: 'PROJECT', text: ({ slug }) => slug, style: (text) => paint('bold', text) },
    { heading: 'NAME', text: ({ name }) => name, flexible: true },
    { heading: 'READY', text: ({ tasks }) => count(tasks.ready), style: (text) => paint('green', text) },
    { heading: 'IN PROGRESS', text: ({ tasks }) => count(tasks.in_progress), style: (text) => paint('cyan', text) },
    { heading: 'BLOCKED', text: ({ tasks }) => count(tasks.blocked), style: (text) => paint('red', text) },
    { heading: 'DONE', text: ({ tasks }) => count(tasks.completed), style: (text) => paint('dim', text) },
    { heading: 'CHANGED', text: ({ updated_at }) => fromNow(updated_at), style: (text) => paint('dim', text) },
  ]);
}

function count(tasks: number): string {
  return tasks === 0 ? '' : String(tasks);
}

function nameOf({ name, slug }: Resumption['project']): string {
  return name === slug ? paint('bold', name) : `${paint('bold', name)} ${paint('dim', slug)}`;
}

function statusLines({ project, checkpoint, ...found }: Resumption): string[] {
  return [
    `${nameOf(project)}  ${countsLine(project.tasks)}`,
    ...(checkpoint === undefined
      ? []
      : [
          `${paint('dim', 'Checkpoint')} ${checkpoint.label} ${paint('dim', `by ${oneLine(checkpoint.by)}, ${fromNow(checkpoint.created_at)}`)}`,
        ]),
    ...tasksUnder('In progress', found.in_progress),
    ...tasksUnder('Ready', found.ready),
    ...tasksUnder('Blocked', found.blocked),
    ...(found.questions?.length ? ['', paint('bold', 'Open questions'), ...eventTable(found.questions)] : []),
  ];
}

function tasksUnder(heading: string, tasks: Resumption['ready']): string[] {
  return tasks?.length ? ['', paint('bold', heading), ...taskTable(tasks)] : [];
}
