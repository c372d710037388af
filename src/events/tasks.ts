import * as z from 'zod';
import { jsonObject, line, nameLine, said, text, word } from '../text.ts';
import type { Expectation, NewEvent } from './append.ts';
import type { Note } from './projects.ts';

export const STATUSES = ['pending', 'in_progress', 'blocked', 'completed', 'cancelled'] as const;
/** The statuses that a task does not leave by itself. */
export const ENDED: ReadonlySet<(typeof STATUSES)[number]> = new Set(['completed', 'cancelled']);
export const PRIORITIES = ['low', 'medium', 'high', 'critical'] as const;

export const TaskRef = line(80).describe('Ref like web-12.');
/** The task that a lock_token belongs to: a caller who passes a token knows both. */
export const HeldTask = line(80);
export const LockToken = z.int().min(1).describe('From claim_task.');
export const Version = z.int().min(1).describe('Refuse if changed since.');

export const LABELS_MAX = 20;
export const LABEL_CHARACTERS_MAX = 50;

/** Compared without case. A task keeps the first of two equal labels. */
export const Labels = z.array(nameLine(LABEL_CHARACTERS_MAX)).max(LABELS_MAX);
export const Rank = z.number().refine(isRank, 'must be zero, or from 10^-15 to 10^15 on either side of it');

/** Tells whether a double precision of the database holds the rank, without rounding it to zero. */
export function isRank(rank: number): boolean {
  return rank === 0 || (Math.abs(rank) >= 1e-15 && Math.abs(rank) <= 1e15);
}

const Constraints = jsonObject(16_384).describe(
  "{paths, deny, files_max, lines_max, notes}: narrows the project's scope.",
);

export const TaskCreated = z.object({
  title: line(300),
  description: text(20_000).optional(),
  acceptance_criteria: z.array(line(1_000)).max(50).optional().describe('Each one checkable.'),
  constraints: Constraints.optional(),
  dependencies: z.array(line(80)).max(100).optional(),
  parent: line(80).optional(),
  discovered_from: line(80).optional().describe('Task during which this was found.'),
  priority: z.enum(PRIORITIES).optional(),
  rank: Rank.optional().describe('Lower first.'),
  labels: Labels.optional(),
});

export const TaskUpdated = z.object({
  title: line(300).optional(),
  description: text(20_000).optional(),
  acceptance_criteria: z.array(line(1_000)).max(50).optional(),
  constraints: jsonObject(16_384).optional(),
  priority: z.enum(PRIORITIES).optional(),
  rank: Rank.nullable().optional(),
  labels: Labels.optional(),
  parent: text(80).optional().describe('Ref; "" for none.'),
});

export const TaskReleased = z.object({
  outcome: z.enum(['paused', 'failed']),
  reason: said(4_000).describe('For the next agent: state, what was tried.'),
});

export const TaskCompleted = z.object({
  summary: text(10_000).optional().describe('For those who build on it.'),
  evidence: z
    .array(
      z.strictObject({
        criterion: z.int().min(1).max(50).describe('Its place in the list, from 1.'),
        note: text(4_000).optional(),
        artifact: word(80).optional().describe('Id from add_artifact.'),
      }),
    )
    .max(100)
    .optional()
    .describe('One or more for each criterion.'),
});

/** The numbers of a completed task's criteria without evidence. */
export const Unproven = z.array(z.int()).optional();

const TaskLink = z.object({
  ref: z.string(),
  title: z.string(),
  status: z.string(),
  unproven: Unproven,
  outcome: z.string().optional(),
});

export const TaskBrief = z.object({
  ref: z.string(),
  title: z.string(),
  status: z.enum(STATUSES),
  priority: z.enum(PRIORITIES),
  /** Its position among tasks of its priority. */
  rank: z.number().optional(),
  labels: z.array(z.string()).optional(),
  ready: z.boolean(),
  locked_by: z.string().optional(),
  locked_until: z.string().optional(),
  /** How the session of its holder ended: `ended 2 minutes ago`. */
  session: z.string().optional(),
  open_dependencies: z.int().optional(),
  open_parts: z.int().optional(),
  blocked_reason: z.string().optional(),
  warning: z.string().optional(),
  attempts: z.int().optional(),
  parent: z.string().optional(),
  completed_at: z.string().optional(),
  unproven: Unproven,
});
export type TaskBrief = z.infer<typeof TaskBrief>;

/** Refs of the parts that are still open, if any. */
export const Parts = z.array(z.string()).optional();

export const Task = TaskBrief.extend({
  id: z.string(),
  project: z.string(),
  version: z.int(),
  description: z.string().optional(),
  acceptance_criteria: z.array(z.string()),
  constraints: z.record(z.string(), z.unknown()).optional(),
  scope: z.record(z.string(), z.unknown()).optional(),
  dependencies: z.array(TaskLink),
  dependents: z.array(TaskLink).optional(),
  parts: Parts,
  discovered_from: z.string().optional(),
  evidence: z
    .array(
      z.object({
        criterion: z.int(),
        note: z.string().optional(),
        artifact: z.string().optional(),
        tier: z.string(),
        stale: z.boolean().optional(),
      }),
    )
    .optional(),
  summary: z.string().optional(),
  last_outcome: z.string().optional(),
  last_reason: z.string().optional(),
  last_agent: z.string().optional(),
  waiting_for: z.array(z.string()).optional(),
  approved_at: z.string().optional(),
  created_by: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Task = z.infer<typeof Task>;

export function taskCreated(
  id: string,
  data: z.infer<typeof TaskCreated> & { project?: string | undefined },
): NewEvent<Task> {
  return { stream: `task:${id}`, type: 'task.created', data, state: Task };
}

export function taskUpdated(task: string, data: z.infer<typeof TaskUpdated>, expect: Expectation): NewEvent<Task> {
  return {
    stream: `task:${task}`,
    type: 'task.updated',
    data: data.parent === '' ? { ...data, parent: null } : data,
    expect,
    state: Task,
  };
}

export function dependenciesChanged(
  task: string,
  data: { add?: string[] | undefined; remove?: string[] | undefined },
  expect: Expectation,
): NewEvent<Task> {
  return { stream: `task:${task}`, type: 'task.dependencies_changed', data, expect, state: Task };
}

export const STATUS_CHANGES = ['blocked', 'unblocked', 'cancelled', 'reopened'] as const;
export type StatusChange = { status: (typeof STATUS_CHANGES)[number]; reason?: string | undefined };

/** `task.blocked`, `task.unblocked`, `task.cancelled` or `task.reopened`. */
export function statusChanged(task: string, { status, reason }: StatusChange, expect: Expectation): NewEvent<Task> {
  return { stream: `task:${task}`, type: `task.${status}`, data: { reason }, expect, state: Task };
}

/** A claim of a task that the same append creates, or a person completes in it; `claim_task` makes all others. */
export function taskClaimed(task: string, data: { ttl_seconds: number }): NewEvent<Task> {
  return { stream: `task:${task}`, type: 'task.claimed', data, state: Task };
}

export function taskReleased(task: string, data: z.infer<typeof TaskReleased>, expect: Expectation): NewEvent<Task> {
  return { stream: `task:${task}`, type: 'task.released', data, expect, state: Task };
}

export function taskCompleted(task: string, data: z.infer<typeof TaskCompleted>, expect: Expectation): NewEvent<Task> {
  return { stream: `task:${task}`, type: 'task.completed', data, expect, state: Task };
}

export function taskNoted(task: string, data: z.infer<typeof Note>): NewEvent<Task> {
  return { stream: `task:${task}`, type: 'task.noted', data, state: Task };
}

export function lockBroken(task: string, data: { reason: string }): NewEvent<Task> {
  return { stream: `task:${task}`, type: 'task.lock_broken', data, state: Task };
}

export function taskApproved(task: string, data: { note?: string | undefined }): NewEvent<Task> {
  return { stream: `task:${task}`, type: 'task.approved', data, state: Task };
}
