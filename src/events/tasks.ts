import * as z from 'zod';
import { FIELD_CHECKS, jsonList, jsonObject, line, nameLine, ref, refOrNone, said, text, word } from '../text.ts';
import type { Expectation, NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { Note, ProjectRef } from './projects.ts';
import { PRIORITIES, Task } from './task-forms.ts';

export const TaskRef = ref().describe('Ref like web-12.');
/** The task that a lock_token belongs to: a caller who passes a token knows both. */
export const HeldTask = ref();
export const LockToken = z.int().min(1).describe('From claim_task.');
export const Version = z.int().min(1).describe('Refuse if changed since.');

export const TITLE_CHARACTERS_MAX = 300;
export const DESCRIPTION_CHARACTERS_MAX = 20_000;
export const CRITERIA_MAX = 50;
export const CRITERION_CHARACTERS_MAX = 1_000;
export const DEPENDENCIES_MAX = 100;
export const REASON_CHARACTERS_MAX = 4_000;
export const LABELS_MAX = 20;
export const LABEL_CHARACTERS_MAX = 50;

/** Compared without case. A task keeps the first of two equal labels. */
export const Labels = z.array(nameLine(LABEL_CHARACTERS_MAX)).max(LABELS_MAX);
export const Rank = z
  .number()
  .refine(isRank, 'must be zero, or from 10^-15 to 10^15 on either side of it')
  .register(FIELD_CHECKS, { kind: 'number' });

/** Tells whether a double precision of the database holds the rank, without rounding it to zero. */
export function isRank(rank: number): boolean {
  return rank === 0 || (Math.abs(rank) >= 1e-15 && Math.abs(rank) <= 1e15);
}

/** A person or an agent. */
export const ReviewerName = line(120);

const Title = line(TITLE_CHARACTERS_MAX);
const Description = text(DESCRIPTION_CHARACTERS_MAX);
const Criteria = z.array(line(CRITERION_CHARACTERS_MAX)).max(CRITERIA_MAX);
const Constraints = jsonObject(16_384);
const Dependencies = z.array(ref()).max(DEPENDENCIES_MAX);
const Reason = said(REASON_CHARACTERS_MAX);
const Remark = text(REASON_CHARACTERS_MAX);

export const TaskCreated = z.object({
  title: Title,
  description: Description.optional(),
  acceptance_criteria: Criteria.optional().describe('Each one checkable.'),
  constraints: Constraints.describe(
    "{paths, deny, files_max, lines_max, notes}: narrows the project's scope.",
  ).optional(),
  dependencies: Dependencies.optional(),
  parent: ref().optional(),
  discovered_from: ref().optional().describe('Task it was found during.'),
  priority: z.enum(PRIORITIES).optional(),
  rank: Rank.optional().describe('Lower first.'),
  labels: Labels.optional(),
  reviewer: ReviewerName.optional().describe('Who checks it.'),
});

export const TaskUpdated = z.object({
  title: Title.optional(),
  description: Description.optional(),
  acceptance_criteria: Criteria.optional(),
  constraints: Constraints.optional(),
  priority: z.enum(PRIORITIES).optional(),
  rank: Rank.nullable().optional(),
  labels: Labels.optional(),
  parent: refOrNone().optional().describe('Ref; "" for none.'),
  reviewer: text(120).optional(),
});

export const DependenciesChanged = z.object({ add: Dependencies.optional(), remove: Dependencies.optional() });

export const TaskClaimed = z.object({
  ttl_seconds: z.int().min(1).max(86_400),
  take_over: z.boolean().optional(),
});

export const TaskReleased = z.object({
  outcome: z.enum(['paused', 'failed']),
  reason: Reason.describe('For the next agent: state, what was tried.'),
});

export const TaskCompleted = z.object({
  summary: text(10_000).optional().describe('For those who build on it.'),
  evidence: jsonList(
    z.strictObject({
      criterion: z.int().min(1).max(CRITERIA_MAX).describe('Its number, from 1.'),
      note: Remark.optional(),
      artifact: word(80).optional().describe('Id from add_artifact.'),
    }),
    400_000,
  )
    .max(100)
    .optional()
    .describe('One or more for each criterion.'),
});

const TaskBlocked = z.object({ reason: Reason, dependency: TaskRef.optional() });
export const TaskUnblocked = z.object({ reason: Remark.optional() });
const TaskCancelled = z.object({ reason: Reason });
export const LockBroken = z.object({ reason: Reason });
export const TaskApproved = z.object({ note: Remark.optional() });

const TaskReturned = z.object({ reason: Reason });

const LockTokenAdded = z.int().min(1).max(999_999_999).optional();

/** @public */
export const taskEvents = () =>
  ({
    'task.created': {
      says: 'title, criteria, dependencies, labels, rank',
      creates: true,
      data: TaskCreated.extend({ project: ProjectRef.optional() }),
      added: z.object({ project_id: ref(36), number: z.int().min(1).max(99_999_999), ref: ref(41) }),
    },
    'task.updated': {
      says: 'text, priority, rank, criteria or constraints changed; `labels` is the whole list',
      data: TaskUpdated,
    },
    'task.dependencies_changed': { says: 'added, removed', data: DependenciesChanged },
    'task.claimed': {
      says: 'an agent holds it',
      data: TaskClaimed,
      added: z.object({ lapsed: z.boolean().optional() }),
    },
    'task.released': {
      says: 'given back unfinished, and why',
      data: TaskReleased,
      added: z.object({
        lapsed: z.boolean().optional(),
        exhausted: z.boolean().optional(),
        lock_token: LockTokenAdded,
      }),
    },
    'task.lock_broken': { says: 'an admin ended a claim', data: LockBroken },
    'task.blocked': { says: 'it cannot go on, and why', data: TaskBlocked },
    'task.unblocked': { says: 'it can go on', data: TaskUnblocked },
    'task.submitted': {
      says: 'done by its holder, and waits for who checks it',
      by: 'door',
      data: TaskCompleted,
      added: z.object({ lock_token: LockTokenAdded }),
    },
    'task.returned': { says: 'who checked it wants changes', by: 'door', data: TaskReturned },
    'task.completed': {
      says: 'done, with evidence; `unproven` lists the criteria without',
      data: TaskCompleted,
      added: z.object({ lock_token: LockTokenAdded, unproven: jsonList(z.int(), 400).optional() }),
    },
    'task.cancelled': { says: 'it will not be done, and why', data: TaskCancelled },
    'task.reopened': { says: 'to be done after all', data: TaskCancelled },
    'task.warned': {
      says: 'a dependency changed while it is held',
      by: 'door',
      data: z.object({ dependency: TaskRef, reason: Reason }),
    },
    'task.approved': { says: 'a person approved it', data: TaskApproved },
    'task.noted': { says: 'a note, question, answer, progress or risk', data: Note },
  }) as const satisfies EventTypes;

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
  data: z.infer<typeof DependenciesChanged>,
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
export function taskClaimed(task: string, data: z.infer<typeof TaskClaimed>): NewEvent<Task> {
  return { stream: `task:${task}`, type: 'task.claimed', data, state: Task };
}

export function taskReleased(task: string, data: z.infer<typeof TaskReleased>, expect: Expectation): NewEvent<Task> {
  return { stream: `task:${task}`, type: 'task.released', data, expect, state: Task };
}

/** Becomes `task.submitted` where nothing is missing but what others have to say. */
export function taskCompleted(task: string, data: z.infer<typeof TaskCompleted>, expect: Expectation): NewEvent<Task> {
  return { stream: `task:${task}`, type: 'task.completed', data, expect, state: Task };
}

export function taskNoted(task: string, data: z.infer<typeof Note>): NewEvent<Task> {
  return { stream: `task:${task}`, type: 'task.noted', data, state: Task };
}

export function lockBroken(task: string, data: z.infer<typeof LockBroken>): NewEvent<Task> {
  return { stream: `task:${task}`, type: 'task.lock_broken', data, state: Task };
}

export function taskApproved(task: string, data: z.infer<typeof TaskApproved>): NewEvent<Task> {
  return { stream: `task:${task}`, type: 'task.approved', data, state: Task };
}
