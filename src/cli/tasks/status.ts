import type * as z from 'zod';
import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import type { Alert } from '../../events/alerts.ts';
import type { Resumption } from '../../services/checkpoints.ts';
import type { ProjectPage } from '../../services/projects.ts';
import { oneLine } from '../../text.ts';
import { checkpoints, heldByOthers } from '../../tools/checkpoints.ts';
import { person } from '../../tools/person.ts';
import { projects as projectTools } from '../../tools/projects.ts';
import { agentsAtAGlance, readAgentsAtAGlance } from '../agents/overview.ts';
import { alertTable, readAlerts } from '../alerts/alerts.ts';
import { overdueJobs, overdueLines } from '../jobs/overdue.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table, taskTable } from '../terminal/table.ts';
import { needsYou, remainderLines } from './needs.ts';
import { countsLine } from './tasks.ts';

const PROJECTS_MAX = 100;
const QUESTIONS_SHOWN = 5;
const ALERTS_SHOWN = 5;
const MEMORIES_SHOWN = 5;

/** `cairn status`: the project at a glance; without one, all projects. */
export async function runStatus(config: Config, options: JsonOption): Promise<void> {
  const { found, lines } = await inLocalContext(config, async (ctx) => {
    const [status, jobs_overdue] = await Promise.all([readStatus(ctx), overdueJobs(ctx, config)]);
    return {
      found: { ...status.found, ...(jobs_overdue.length > 0 && { jobs_overdue }) },
      lines: () => [...status.lines(), ...under(overdueLines(jobs_overdue))],
    };
  });
  printResult(found, options, lines);
}

/** Reads the status, and formats it for the terminal's width at that moment. */
export async function readStatus(ctx: Context): Promise<{ found: object; lines(): string[] }> {
  const { projects } = await perform(ctx, projectTools.commands.list_projects, { page_size: PROJECTS_MAX });
  const project = ctx.project ?? (projects.length === 1 ? projects[0]?.slug : undefined);
  const [alerts, atAGlance] = await Promise.all([readAlerts(ctx, { limit: ALERTS_SHOWN }), readAgentsAtAGlance(ctx)]);
  const { agents, approvals } = atAGlance;
  const first = () => {
    const lines = agentsAtAGlance(atAGlance);
    return lines.length === 0 ? [] : [...lines, ''];
  };
  if (project === undefined) {
    return {
      found: { agents, approvals, projects, alerts },
      lines: () => [...first(), ...projectTable({ projects }), ...alertLines(alerts)],
    };
  }
  const [resumed, asked, needs, proposed] = await Promise.all([
    perform(ctx, checkpoints.commands.resume_project, { project }),
    perform(ctx, person.list_questions, { project, page_size: QUESTIONS_SHOWN }),
    perform(ctx, person.list_needs, { project }),
    perform(ctx, person.list_memories, { project, status: 'proposed', page_size: MEMORIES_SHOWN }),
  ]);
  const { questions, open: questions_open } = asked;
  const found = {
    ...resumed,
    agents,
    approvals,
    questions,
    questions_open,
    ...needs,
    memories_proposed: proposed.memories,
    alerts,
  };
  const needed = () => [...needsYou({ ...resumed, questions: asked, needs, proposed }), ...alertLines(alerts)];
  return { found, lines: () => [...first(), ...statusLines(resumed, needed())] };
}

export function projectTable({ projects }: Pick<z.infer<typeof ProjectPage>, 'projects'>): string[] {
  if (projects.length === 0)
    return ['No projects yet. `cairn init` makes one for this repository, `cairn project create SLUG` any other.'];
  return table(projects, [
    { heading: 'PROJECT', text: ({ slug }) => slug, style: (text) => styled('bold', text) },
    { heading: 'NAME', text: ({ name }) => name, flexible: true },
    { heading: 'BLOCKED', text: ({ tasks }) => count(tasks.blocked), style: (text) => styled('red', text) },
    { heading: 'READY', text: ({ tasks }) => count(tasks.ready), style: (text) => styled('green', text) },
    {
      heading: 'IN PROGRESS',
      text: ({ tasks }) => count(tasks.in_progress - (tasks.lapsed ?? 0)),
      style: (text) => styled('cyan', text),
    },
    { heading: 'DONE', text: ({ tasks }) => count(tasks.completed), style: (text) => styled('dim', text), spare: 2 },
    {
      heading: 'CHANGED',
      text: ({ updated_at }) => fromNow(updated_at),
      style: (text) => styled('dim', text),
      spare: 1,
    },
    {
      heading: 'ARCHIVED',
      text: ({ archived_at }) => (archived_at === undefined ? '' : fromNow(archived_at)),
      spare: 3,
    },
  ]);
}

function count(tasks: number): string {
  return tasks === 0 ? '' : String(tasks);
}

function nameOf({ name, slug }: Resumption['project']): string {
  return name === slug ? styled('bold', name) : `${styled('bold', name)} ${styled('dim', slug)}`;
}

function statusLines({ project, checkpoint, ...found }: Resumption, needs: string[]): string[] {
  // A claim that has lapsed is ready, and shown there.
  const { in_progress, lapsed = 0 } = project.tasks;
  return [
    `${nameOf(project)}  ${countsLine(project.tasks)}`,
    ...(checkpoint === undefined
      ? []
      : [
          `${styled('dim', 'Checkpoint')} ${checkpoint.label} ${styled('dim', `by ${oneLine(checkpoint.by)}, ${fromNow(checkpoint.created_at)}`)}`,
        ]),
    ...under(needs),
    ...tasksUnder('In progress', heldByOthers({ in_progress: found.in_progress }), {
      count: in_progress - lapsed,
      command: 'cairn tasks --status in_progress',
    }),
    ...tasksUnder('Ready', found.ready, { count: project.tasks.ready, command: 'cairn tasks --ready' }),
  ];
}

function tasksUnder(
  heading: string,
  tasks: Resumption['ready'] = [],
  { count, command }: { count: number; command: string },
): string[] {
  if (tasks.length === 0) return [];
  return ['', styled('bold', heading), ...taskTable(tasks), ...remainderLines(count - tasks.length, '', command)];
}

/** The latest alerts that wait for somebody. */
function alertLines(alerts: Alert[]): string[] {
  if (alerts.length === 0) return [];
  return ['', styled(['bold', 'red'], 'Alerts'), ...alertTable(alerts), styled('dim', 'cairn alerts ack ALERT')];
}

function under(lines: string[]): string[] {
  return lines.length === 0 ? [] : ['', ...lines];
}
