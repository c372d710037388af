import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { DomainError } from '../errors.ts';
import { append, type NewEvent } from '../events/append.ts';
import { Artifact } from '../events/artifacts.ts';
import { ProjectRef } from '../events/projects.ts';
import { Parts, PRIORITIES, STATUSES, Task, TaskBrief } from '../events/task-forms.ts';
import {
  DependenciesChanged,
  dependenciesChanged,
  HeldTask,
  Labels,
  LockBroken,
  LockToken,
  lockBroken,
  Rank,
  STATUS_CHANGES,
  statusChanged,
  TaskApproved,
  TaskClaimed,
  TaskCompleted,
  TaskRef,
  TaskReleased,
  TaskUnblocked,
  TaskUpdated,
  taskApproved,
  taskClaimed,
  taskCompleted,
  taskCreated,
  taskReleased,
  taskUpdated,
  Version,
} from '../events/tasks.ts';
import { line, ref } from '../text.ts';
import { NewTask, orderBatch } from './batch.ts';
import { EventBrief } from './events.ts';
import { page } from './pagination.ts';
import { isTaskEvent, PROJECTS_HIDDEN, showsProjects } from './visible-scopes.ts';

const MOMENT_SECONDS = 60;
const LeaseSeconds = TaskClaimed.shape.ttl_seconds.default(3_600);

/** An event that rules or dependency policy added. */
export const FollowedEvent = z.object({ seq: z.int(), type: z.string(), ref: z.string().optional() });

/** Consequences by rules and dependency policy, for the agent to know. */
const Consequences = z.object({
  followed: z.array(FollowedEvent).optional(),
  followed_total: z.int().optional().describe('Where not all are shown.'),
  freed: z.array(z.string()).optional().describe('Ready now.'),
  freed_total: z.int().optional().describe('Where not all are shown.'),
});
export type Consequences = z.infer<typeof Consequences>;

/** A task after a command, short: the caller knows what it sent. */
export const ChangedTask = z.object({
  task: TaskBrief.extend({ version: z.int(), parts: Parts }),
  repeated: z.boolean().optional(),
  ...Consequences.shape,
});
export type ChangedTask = z.infer<typeof ChangedTask>;

/** The most tasks in one call. */
export const TASKS_MAX = 50;

export const CreateTasks = z.strictObject({
  project: ProjectRef.optional(),
  tasks: z.array(NewTask).min(1).max(TASKS_MAX),
});

export const CreatedTasks = z.object({ tasks: z.array(TaskBrief), ...Consequences.shape });

/** Creates tasks together, all or none; they may depend on each other. */
export async function createTasks(
  ctx: Context,
  { project, tasks }: z.output<typeof CreateTasks>,
): Promise<z.infer<typeof CreatedTasks>> {
  const members = orderBatch(tasks);
  const about = { project: project ?? ctx.project };
  const { events, ...answer } = await append(
    ctx,
    members.map(({ id, data }) => taskCreated(id, { ...data, ...about })),
  );
  const created: Task[] = [];
  for (const [at, { state }] of events.entries()) created[members[at]?.place ?? at] = state;
  return { tasks: created, ...consequences(answer) };
}

export const ListTasks = z.strictObject({
  project: ProjectRef.optional(),
  status: z.array(z.enum(STATUSES)).max(5).optional(),
  priority: z.array(z.enum(PRIORITIES)).max(4).optional(),
  labels: Labels.optional(),
  ready: z.boolean().optional().describe('Claimable now.'),
  mine: z.boolean().optional().describe('What you hold.'),
  unproven: z.boolean().optional(),
  parent: ref().optional(),
  query: line(200).optional().describe('Part of the title.'),
  ...page(20, 100),
});

export const TaskPage = z.object({
  project: z.string(),
  counts: z.record(z.string(), z.int()),
  tasks: z.array(TaskBrief),
  next_cursor: z.string().optional(),
});

const queryTasks = sqlFunction('list_tasks', TaskPage);

export function listTasks(
  ctx: Context,
  { project, cursor, page_size, ...filters }: z.output<typeof ListTasks>,
): Promise<z.infer<typeof TaskPage>> {
  return queryTasks(ctx, { project: project ?? ctx.project, cursor, page_size, filters });
}

export const GetTask = z.strictObject({ task: TaskRef, timeline_size: z.int().min(0).max(100).default(10) });

export const TaskWithHistory = Task.extend({
  artifacts: z.array(Artifact),
  timeline: z.array(EventBrief),
  not_shown: z.string().optional(),
});
type TaskWithHistory = z.infer<typeof TaskWithHistory>;

const queryTask = sqlFunction('get_task', TaskWithHistory);

export async function getTask(ctx: Context, input: z.output<typeof GetTask>): Promise<TaskWithHistory> {
  const task = await queryTask(ctx, input);
  const timeline = showsProjects(ctx) ? task.timeline : task.timeline.filter(isTaskEvent);
  return timeline.length === task.timeline.length ? task : { ...task, timeline, not_shown: PROJECTS_HIDDEN };
}

export const ClaimTask = z.strictObject({
  task: TaskRef.optional(),
  project: ProjectRef.optional(),
  priority: z.array(z.enum(PRIORITIES)).max(4).optional(),
  labels: Labels.optional(),
  parent: ref().optional(),
  query: line(200).optional(),
  ttl_seconds: LeaseSeconds,
  take_over: z.boolean().default(false).describe('Your own lock, if you lost its token.'),
  from: line(120).optional().describe('Who must still hold it.'),
});

export const Claim = z.object({
  task: Task.extend({ lock_token: z.int() }).optional(),
  gates: z.array(z.string()).optional(),
  previous: z.object({ outcome: z.string(), reason: z.string().optional(), by: z.string().optional() }).optional(),
  project: z.string().optional(),
  counts: z.record(z.string(), z.int()).optional(),
  next_expiry: z.string().optional(),
  hint: z.string().optional(),
});

const claim = sqlFunction('claim_task', Claim);

/** Takes the task's lock. The returned lock_token proves the claim to every later command on it. */
export function claimTask(
  ctx: Context,
  { project, priority, labels, parent, query, from, ...input }: z.output<typeof ClaimTask>,
): Promise<z.infer<typeof Claim>> {
  const filters = { priority, labels, parent, query };
  const args = { ...input, take_over_from: from, filters, project: project ?? ctx.project, command: ctx.command };
  return claim(ctx, args);
}

export const ExtendLock = z.strictObject({
  task: HeldTask,
  lock_token: LockToken,
  ttl_seconds: LeaseSeconds.describe('From now.'),
});

export const Lock = z.object({ ref: z.string(), lock_token: z.int(), locked_until: z.string() });

export const extendLock = sqlFunction('extend_lock', Lock);

export const ReleaseTask = z.strictObject({ task: HeldTask, lock_token: LockToken, ...TaskReleased.shape });
/** A person needs no token for their own claims. */
export const ReleaseTaskAsPerson = ReleaseTask.partial({ lock_token: true });

/** Releases a task with an outcome and a reason for its next holder. */
export function releaseTask(
  ctx: Context,
  { task, lock_token, ...data }: z.output<typeof ReleaseTaskAsPerson>,
): Promise<ChangedTask> {
  return change(ctx, [taskReleased(task, data, { lock_token })]);
}

export const CompleteTask = z.strictObject({ task: HeldTask, lock_token: LockToken, ...TaskCompleted.shape });
export const CompleteTaskAsPerson = CompleteTask.partial({ lock_token: true });

/** Completes a task with a summary and the evidence for each criterion, or submits it to who checks it. */
export function completeTask(
  ctx: Context,
  { task, lock_token, ...data }: z.output<typeof CompleteTaskAsPerson>,
): Promise<ChangedTask> {
  return change(ctx, [taskCompleted(task, data, { lock_token })]);
}

export const CompleteUnheldTask = CompleteTask.omit({ lock_token: true });

/** The same for a task that nobody holds, as a person: claims it for that moment. A refusal leaves it as it was. */
export function completeUnheldTask(
  ctx: Context,
  { task, ...data }: z.output<typeof CompleteUnheldTask>,
): Promise<ChangedTask> {
  return change(ctx, [taskClaimed(task, { ttl_seconds: MOMENT_SECONDS }), taskCompleted(task, data, {})]);
}

export const UpdateTask = z.strictObject({
  task: TaskRef,
  lock_token: LockToken.optional().describe('If you hold it.'),
  ...TaskUpdated.omit({ reviewer: true }).shape,
  // Some clients send null for every optional field: it must not clear the rank.
  rank: Rank.optional(),
  add_dependencies: DependenciesChanged.shape.add,
  remove_dependencies: DependenciesChanged.shape.remove,
  status: z.enum(STATUS_CHANGES).optional().describe('Others come from claim_task, release_task, complete_task.'),
  reason: TaskUnblocked.shape.reason.describe('Needed with status.'),
  expected_version: Version.optional(),
});

/** Only a person changes who checks a task. */
export const UpdateTaskAsPerson = UpdateTask.extend({
  rank: TaskUpdated.shape.rank,
  reviewer: TaskUpdated.shape.reviewer,
});

/** Changes a task in one step: its text, its dependencies, its status. */
export function updateTask(
  ctx: Context,
  { task, lock_token, expected_version, ...input }: z.output<typeof UpdateTaskAsPerson>,
): Promise<ChangedTask> {
  const { add_dependencies: add, remove_dependencies: remove, status, reason, ...fields } = input;
  const expect = { lock_token };
  const events: NewEvent<Task>[] = [];
  if (Object.values(fields).some((value) => value !== undefined)) events.push(taskUpdated(task, fields, expect));
  if (add !== undefined || remove !== undefined) events.push(dependenciesChanged(task, { add, remove }, expect));
  if (status !== undefined) {
    if (status !== 'unblocked' && !reason?.trim()) throw missing('reason', `Say why the task is ${status}.`);
    events.push(statusChanged(task, { status, reason }, expect));
  }
  const [first, ...others] = events;
  if (first === undefined) throw missing('title', 'Name at least one thing to change.');
  return change(ctx, [{ ...first, expect: { ...expect, version: expected_version } }, ...others]);
}

export const BreakLock = z.strictObject({ task: TaskRef, ...LockBroken.shape });

/** Ends another agent's claim, on the record; its token is worthless from then on. */
export function breakLock(ctx: Context, { task, reason }: z.output<typeof BreakLock>): Promise<ChangedTask> {
  return change(ctx, [lockBroken(task, { reason })]);
}

export const ApproveTask = z.strictObject({ task: TaskRef, ...TaskApproved.shape });

/** Records a person's approval, for a gate that requires one. SQL refuses it from an agent. */
export function approveTask(ctx: Context, { task, note }: z.output<typeof ApproveTask>): Promise<ChangedTask> {
  return change(ctx, [taskApproved(task, { note })]);
}

/** Appends events of one task and returns the task after the last. */
async function change(ctx: Context, requests: NewEvent<Task>[]): Promise<ChangedTask> {
  const { events, ...answer } = await append(ctx, requests);
  const last = events.at(-1);
  if (last === undefined) throw new DomainError('internal', 'append_events returned no event.');
  return { task: last.state, ...(last.repeated && { repeated: true }), ...consequences(answer) };
}

function consequences({ followed = [], followed_total, freed, freed_total }: Consequences): Consequences {
  return {
    ...(followed.length > 0 && { followed, ...(followed_total && { followed_total }) }),
    ...(freed && { freed, ...(freed_total && { freed_total }) }),
  };
}

function missing(field: string, hint: string): DomainError {
  return new DomainError('invalid_input', `${field} is missing.`, { hint, details: { field } });
}
