import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { append } from '../events/append.ts';
import { CheckpointBrief } from '../events/checkpoints.ts';
import { DecisionBrief } from '../events/decisions.ts';
import {
  Project,
  ProjectArchived,
  ProjectBrief,
  ProjectCreated,
  ProjectRef,
  ProjectUpdated,
  projectArchived,
  projectCreated,
  projectUnarchived,
  projectUpdated,
} from '../events/projects.ts';
import { TaskBrief } from '../events/task-forms.ts';
import { Version } from '../events/tasks.ts';
import { page } from './pagination.ts';
import { showsTasks, TASKS_HIDDEN } from './visible-scopes.ts';

export const CreateProject = z.strictObject(ProjectCreated.shape);

export async function createProject(ctx: Context, input: z.output<typeof CreateProject>): Promise<Project> {
  const { events } = await append(ctx, [projectCreated(input)]);
  return events[0].state;
}

export const UpdateProject = z.strictObject({
  project: ProjectRef,
  ...ProjectUpdated.shape,
  expected_version: Version.optional(),
});

export async function updateProject(
  ctx: Context,
  { project, expected_version, ...changes }: z.output<typeof UpdateProject>,
): Promise<Project> {
  const { events } = await append(ctx, [projectUpdated(project, changes, { version: expected_version })]);
  return events[0].state;
}

export const ArchiveProject = z.strictObject({ project: ProjectRef, ...ProjectArchived.shape });

/** Archives a project; it stays readable. Refused while agents hold tasks of it. */
export async function archiveProject(
  ctx: Context,
  { project, ...data }: z.output<typeof ArchiveProject>,
): Promise<Project> {
  const { events } = await append(ctx, [projectArchived(project, data)]);
  return events[0].state;
}

export const UnarchiveProject = z.strictObject({ project: ProjectRef });

export async function unarchiveProject(ctx: Context, { project }: z.output<typeof UnarchiveProject>): Promise<Project> {
  const { events } = await append(ctx, [projectUnarchived(project)]);
  return events[0].state;
}

export const ListProjects = z.strictObject({ include_archived: z.boolean().default(false), ...page(20, 100) });

export const ProjectPage = z.object({ projects: z.array(ProjectBrief), next_cursor: z.string().optional() });

export const listProjects = sqlFunction('list_projects', ProjectPage);

export const GetProject = z.strictObject({ project: ProjectRef.optional() });

export const ProjectContext = z.object({
  project: Project,
  checkpoint: CheckpointBrief.optional(),
  in_progress: z.array(TaskBrief),
  ready: z.array(TaskBrief),
  decisions: z.array(DecisionBrief),
  position: z.int(),
  not_shown: z.string().optional(),
});
type ProjectContext = z.infer<typeof ProjectContext>;

const queryProject = sqlFunction('get_project', ProjectContext);

/** Reads a project with its rules and its current work. */
export async function getProject(ctx: Context, { project }: z.output<typeof GetProject>): Promise<ProjectContext> {
  const found = await queryProject(ctx, { project: project ?? ctx.project });
  return showsTasks(ctx) ? found : { ...found, in_progress: [], ready: [], not_shown: TASKS_HIDDEN };
}
