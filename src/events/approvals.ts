import * as z from 'zod';
import { jsonObject, line, ref, text } from '../text.ts';
import type { NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { ProjectRef } from './projects.ts';
import { ReviewerName } from './tasks.ts';

const ASK_SECONDS_MAX = 604_800;

const APPROVAL_KINDS = ['permission', 'question'] as const;

/** What an agent asks a person before it goes on. */
export const Ask = z.object({
  kind: z.enum(APPROVAL_KINDS),
  title: line(500).describe('What it wants to do or to know, in one line.'),
  detail: jsonObject(16_384).optional().describe('What a person needs to see of it.'),
  options: z.array(line(200)).max(20).optional().describe('Answers to choose from.'),
  ttl_seconds: z.int().min(1).max(ASK_SECONDS_MAX),
});

/** A review of a task is asked for by Cairn when the task is submitted; it has no end. */
const Requested = Ask.extend({
  kind: z.enum([...APPROVAL_KINDS, 'task']),
  ttl_seconds: Ask.shape.ttl_seconds.optional(),
  run: ref().optional(),
  task: ref().optional(),
  project: ProjectRef.optional(),
  asked_of: ReviewerName.optional(),
});

const Decided = z.object({
  decision: z.enum(['approved', 'denied']),
  answer: text(4_000).optional(),
  note: text(2_000).optional(),
});

/** @public */
export const approvalEvents = () =>
  ({
    'approval.requested': {
      says: 'an agent asks a person',
      creates: true,
      data: Requested,
    },
    'approval.decided': { says: 'a person has answered', by: 'verb', data: Decided },
    'approval.expired': { says: 'nobody has answered in time', by: 'verb', data: z.object({}) },
    'approval.withdrawn': { says: 'it is not asked any more', data: z.object({}) },
  }) as const satisfies EventTypes;

export const Approval = z.object({
  id: z.string(),
  kind: Requested.shape.kind,
  title: z.string(),
  detail: z.record(z.string(), z.unknown()).optional(),
  options: z.array(z.string()).optional(),
  state: z.enum(['pending', 'approved', 'denied', 'expired', 'withdrawn']),
  asked_by: z.string(),
  asked_of: z.string().optional(),
  project: z.string().optional(),
  task: z.string().optional(),
  run: z.string().optional(),
  command: z.string().optional(),
  expires_at: z.string().optional(),
  decided_by: z.string().optional(),
  decided_at: z.string().optional(),
  answer: z.string().optional(),
  note: z.string().optional(),
  created_at: z.string(),
});
export type Approval = z.infer<typeof Approval>;

export function approvalRequested(approval: string, data: Record<string, unknown>): NewEvent<Approval> {
  return { stream: `approval:${approval}`, type: 'approval.requested', data, state: Approval };
}
