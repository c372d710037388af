import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { append } from '../events/append.ts';
import { Approval, Ask, approvalRequested } from '../events/approvals.ts';
import { newId } from '../events/ids.ts';
import { ProjectRef } from '../events/projects.ts';
import { TaskRef } from '../events/tasks.ts';
import { text } from '../text.ts';
import { idListedBy } from './listed-id.ts';
import { page } from './pagination.ts';

const WAIT_SECONDS_MAX = 45;
const LOOK_MS = 500;

/** What a model is told with a no, also with that of nobody. */
export const NO_OTHER_WAY = 'Do not look for another way to do the same: end your turn, and say what you needed.';

const ApprovalId = idListedBy('list_approvals').describe('Id, as list_approvals shows it.');

export const ListApprovals = z.strictObject({
  project: ProjectRef.optional().describe('Only those of this project. Default: all of the workspace.'),
  include_decided: z.boolean().default(false).describe('Also those that were answered, or not in time.'),
  ...page(20, 100),
});

export const ApprovalPage = z.object({ approvals: z.array(Approval), next_cursor: z.string().optional() });

export const listApprovals = sqlFunction('list_approvals', ApprovalPage);

const ApprovalOrTask = z.union([ApprovalId, TaskRef]).describe('Id, or the ref of a task that waits for review.');

export const GetApproval = z.strictObject({ approval: ApprovalOrTask });

export const getApproval = sqlFunction('get_approval', Approval);

export const DecideApproval = z.strictObject({
  approval: ApprovalOrTask,
  decision: z.enum(['approved', 'denied']),
  answer: text(4_000).optional(),
  note: text(2_000).optional(),
});

/** Records a person's answer to an agent. SQL refuses it from an agent. Raises forbidden, illegal_transition. */
export const decideApproval = sqlFunction('decide_approval', Approval);

export const ReviewTask = z.strictObject({
  task: TaskRef,
  decision: z.enum(['approved', 'changes_requested']),
  note: DecideApproval.shape.note.describe('What is to be changed, for the next holder.'),
});

/** Completes what another submitted, or returns it with words. Raises forbidden, illegal_transition, not_found. */
export function reviewTask(ctx: Context, { task, decision, note }: z.output<typeof ReviewTask>): Promise<Approval> {
  return decideApproval(ctx, { approval: task, decision: decision === 'approved' ? 'approved' : 'denied', note });
}

export const AskApproval = z.strictObject({
  approval: ApprovalId.optional().describe('One asked before, to wait on for its answer; leave out the rest.'),
  ...Ask.partial({ title: true }).shape,
  kind: Ask.shape.kind.default('question'),
  ttl_seconds: Ask.shape.ttl_seconds.default(900).describe('Unanswered by then, it is a no.'),
  task: TaskRef.optional(),
  project: ProjectRef.optional(),
  wait_seconds: z.int().min(0).max(WAIT_SECONDS_MAX).default(WAIT_SECONDS_MAX),
});

/** Asks a person, or waits on for an answer. Answers with how it is after `wait_seconds` at most. */
export async function askApproval(
  ctx: Context,
  { approval, wait_seconds, task, project = ctx.project, ...ask }: z.output<typeof AskApproval>,
): Promise<Approval> {
  const asked =
    approval === undefined
      ? await request(ctx, { ...ask, ...(task === undefined ? { project } : { task }) })
      : await getApproval(ctx, { approval });
  return answered(ctx, asked, wait_seconds);
}

async function request(ctx: Context, asked: Parameters<typeof approvalRequested>[1]): Promise<Approval> {
  const { events } = await append(ctx, [approvalRequested(newId(), asked)]);
  return events[0].state;
}

async function answered(ctx: Context, asked: Approval, seconds: number): Promise<Approval> {
  const end = performance.now() + seconds * 1_000;
  const signal = ctx.signal?.();
  let found = asked;
  while (found.state === 'pending' && performance.now() < end && signal?.aborted !== true) {
    await sleep(LOOK_MS, undefined, signal && { signal }).catch(() => {});
    found = await getApproval(ctx, { approval: asked.id });
  }
  return found;
}
