import type * as z from 'zod';
import { Project, type ProjectBrief } from '../events/projects.ts';
import { named, quote } from '../quote.ts';
import { recordOf } from '../records.ts';
import {
  ArchiveProject,
  archiveProject,
  CreateProject,
  createProject,
  GetProject,
  getProject,
  ListProjects,
  listProjects,
  ProjectContext,
  ProjectPage,
  UnarchiveProject,
  UpdateProject,
  unarchiveProject,
  updateProject,
} from '../services/projects.ts';
import { block, counted, decisionLine, lines, nextPage, section, taskLine, time } from './render.ts';
import { toolset } from './tool.ts';

export const projects = toolset(
  'projects',
  {
    purpose: 'projects and their rules',
    description: 'What the work is about, and the rules that it obeys.',
    scopes: {
      'projects:read': 'Read projects, decisions and checkpoints',
      'projects:write': 'Create and change projects, decisions and checkpoints',
    },
  },
  {
    list_projects: {
      title: 'List projects',
      description: 'See which projects there are, latest change first.',
      effect: 'read',
      input: ListProjects,
      output: ProjectPage,
      run: listProjects,
      render: renderProjects,
    },
    create_project: {
      title: 'Create a project',
      description: 'Start a project. Then plan it with create_tasks.',
      effect: 'write',
      input: CreateProject,
      output: Project,
      run: createProject,
      render: (project) =>
        lines(
          `Created ${projectLine(project)}`,
          completionNeeds(project),
          `Next: create_tasks with project ${project.slug}.`,
        ),
    },
    update_project: {
      title: 'Update a project',
      description: "Change a project's name, description or rules.",
      effect: 'write',
      input: UpdateProject,
      output: Project,
      run: updateProject,
      render: renderProject,
    },
    get_project: {
      title: 'Read a project',
      description:
        'Read a project with its rules, latest checkpoint, work in progress and decisions. To start work use resume_project.',
      effect: 'read',
      input: GetProject,
      output: ProjectContext,
      run: getProject,
      render: renderContext,
    },
    archive_project: {
      title: 'Archive a project',
      description: 'Put a finished project out of the way. It stays readable, and unarchive_project brings it back.',
      effect: 'destructive',
      input: ArchiveProject,
      output: Project,
      run: archiveProject,
      render: renderProject,
    },
    unarchive_project: {
      title: 'Unarchive a project',
      description: 'Bring an archived project back into use.',
      effect: 'write',
      input: UnarchiveProject,
      output: Project,
      run: unarchiveProject,
      render: renderProject,
    },
  },
);

export function projectLine(project: z.infer<typeof ProjectBrief>): string {
  const { ready, ...statuses } = project.tasks;
  const archived = project.archived_at === undefined ? '' : `, archived ${time(project.archived_at)}`;
  return `${project.slug} ${quote(project.name)}: ${counted(statuses)}; ${ready} ready${archived}`;
}

function renderProjects({ projects: found, next_cursor }: z.infer<typeof ProjectPage>): string {
  if (found.length === 0) return 'There is no project yet. Create one with create_project.';
  return lines(found.map(projectLine), nextPage(next_cursor));
}

function renderProject(project: z.infer<typeof Project>): string {
  return lines(
    `${projectLine(project)}, version ${project.version}`,
    project.description !== undefined && block('description', project.description),
    `rules: ${JSON.stringify(project.rules)}`,
    completionNeeds(project),
  );
}

/**
 * Tells whether a task can be completed without evidence for its criteria: replacing all rules may drop the gate
 * unnoticed.
 */
function completionNeeds({ rules }: z.infer<typeof Project>): string {
  const gates = Array.isArray(rules['gates']) ? rules['gates'].map(recordOf) : [];
  return gates.some(
    ({ on, require, when }) => on === 'complete' && 'evidence' in recordOf(require) && when === undefined,
  )
    ? 'A task is completed with evidence for each of its criteria.'
    : 'Its rules let tasks be completed without evidence for their criteria; they are then unproven.';
}

function renderContext(context: z.infer<typeof ProjectContext>): string {
  const { checkpoint } = context;
  return lines(
    renderProject(context.project),
    checkpoint !== undefined &&
      `latest checkpoint ${quote(checkpoint.label)} by ${named(checkpoint.by)}, ${time(checkpoint.created_at)} (${checkpoint.id})`,
    section('in progress', context.in_progress, taskLine),
    section('ready', context.ready, taskLine),
    section('decisions', context.decisions, decisionLine),
    context.not_shown,
    `position ${context.position}`,
  );
}
