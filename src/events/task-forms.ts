import * as z from 'zod';

export const STATUSES = ['pending', 'in_progress', 'blocked', 'completed', 'cancelled'] as const;
/** The statuses that a task does not leave by itself. */
export const ENDED: ReadonlySet<(typeof STATUSES)[number]> = new Set(['completed', 'cancelled']);
export const PRIORITIES = ['low', 'medium', 'high', 'critical'] as const;

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
  /** Blocked until it is reviewed. */
  submitted: z.boolean().optional(),
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
  reviewer: z.string().optional(),
  created_by: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Task = z.infer<typeof Task>;
