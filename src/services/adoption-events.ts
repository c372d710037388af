import type { Context } from '../context.ts';
import { DomainError } from '../errors.ts';
import { append, type NewEvent } from '../events/append.ts';
import type { Task } from '../events/task-forms.ts';
import {
  REASON_CHARACTERS_MAX,
  statusChanged,
  TaskCreated,
  taskClaimed,
  taskCompleted,
  taskCreated,
  taskReleased,
  taskUpdated,
} from '../events/tasks.ts';
import type { ForeignTask } from '../formats/foreign-task.ts';
import { firstOf } from '../text.ts';
import { adoptedId } from './adoption-plan.ts';

/** The origin of tasks, and the project that they go to. */
export type Source = { project: { id: string; slug: string }; format: string };

export type Adopted = { created: number; present: number; moved: number; warnings: string[] };

/** `late`: its parent comes after it in the order. `known`: its present state in the project. */
export type Member = { task: ForeignTask; id: string; late: boolean; known: Known | undefined; warnings: string[] };
export type Known = Pick<Task, 'version' | 'status' | 'locked_by' | 'parent'>;

// Tasks that an interrupted import holds are free again soon.
export const LEASE_SECONDS = 60;
// The version of a new task that is claimed at once: its token.
const CLAIMED = 2;

/**
 * The progress of one import: `cancelled` and `placed` (created before their parent, and moved below it) hold names of
 * tasks.
 */
export type Adoption = {
  ctx: Context;
  source: Source;
  result: Adopted;
  cancelled: Set<string>;
  placed: Set<string>;
};

/** Creates tasks in their original state, all in one append; tasks that are refused alone are created blocked. */
export async function createTogether(adoption: Adoption, members: Member[]): Promise<void> {
  const { ctx, result, cancelled, placed } = adoption;
  const known = members.map((member) => withoutCancelled(adoption, member));
  const here = new Set(members.map(({ task }) => task.key));
  const late = known.filter((member) => member.late && here.has(member.task.parent ?? ''));
  try {
    await append(ctx, eventsOf(adoption, known, late));
  } catch (error) {
    if (!(error instanceof DomainError) || error.retryable) throw error;
    const [only, ...others] = known;
    if (only !== undefined && others.length === 0) return createStopped(adoption, only, error);
    const half = Math.ceil(members.length / 2);
    await createTogether(adoption, members.slice(0, half));
    return createTogether(adoption, members.slice(half));
  }
  for (const { task } of late) placed.add(task.key);
  for (const { task, warnings } of known) {
    result.created += 1;
    if (task.status !== 'pending') result.moved += 1;
    result.warnings.push(...warnings);
    if (task.status === 'cancelled') cancelled.add(task.key);
  }
}

/** Creates a task as blocked if its status was refused, as by a gate: a person decides, and nobody claims it. */
async function createStopped(adoption: Adoption, member: Member, refusal: DomainError): Promise<void> {
  const { task, id, warnings } = member;
  const { ctx, result } = adoption;
  if (refusal.code === 'already_exists') {
    result.present += 1;
    return;
  }
  if (task.status === 'pending') throw refusal;
  const events = [creation(adoption, member)];
  const reason = cutRemark(`${remarkOf(task)}\n${refusal.message}`);
  // A blocked task is not handed out, and a gate applies to each claim.
  if (task.status !== 'in_progress') events.push(statusChanged(id, { status: 'blocked', reason }, {}));
  await append(ctx, events);
  result.created += 1;
  result.warnings.push(...warnings, `${task.key}: it could not become ${task.status}: ${refusal.message}`);
}

function eventsOf(adoption: Adoption, members: Member[], late: Member[]): NewEvent<Task>[] {
  const isOver = ({ task }: Member) => task.status === 'cancelled';
  return [
    ...members.flatMap((member) => [creation(adoption, member), ...(isOver(member) ? [] : movesOf(adoption, member))]),
    ...late.map((member) => parented(adoption, member)),
    // Cancelling blocks dependent tasks, so that comes last.
    ...members
      .filter(isOver)
      .toReversed()
      .flatMap((member) => movesOf(adoption, member)),
  ];
}

/** Drops dependencies on cancelled tasks, which are forbidden: unless they are created together, a person decides. */
function withoutCancelled({ cancelled }: Adoption, member: Member): Member {
  const { task } = member;
  const gone = task.dependencies.filter((name) => cancelled.has(name));
  if (gone.length === 0) return member;
  const isOpen = task.status === 'pending' || task.status === 'in_progress';
  const why = `It depends on ${gone.join(', ')}, which is cancelled.`;
  return {
    ...member,
    task: {
      ...task,
      dependencies: task.dependencies.filter((name) => !cancelled.has(name)),
      ...(isOpen && { status: 'blocked', remark: [why, task.remark].filter(Boolean).join('\n') }),
    },
    warnings: [`${task.key}: left out the dependency on ${gone.join(', ')}, which is cancelled.`],
  };
}

function creation({ source }: Adoption, { task, id, late }: Member): NewEvent<Task> {
  const adopted = (key: string) => adoptedId(source.project.id, source.format, key);
  const data = TaskCreated.parse({
    title: task.title,
    description: task.description || undefined,
    acceptance_criteria: task.acceptance_criteria,
    priority: task.priority,
    rank: task.rank,
    labels: task.labels,
    dependencies: task.dependencies.map(adopted),
    parent: task.parent !== undefined && !late ? adopted(task.parent) : undefined,
    discovered_from: task.discovered_from && adopted(task.discovered_from),
  });
  return taskCreated(id, { ...data, project: source.project.slug });
}

/** Names the parent of a task, if that was created after it. */
export function parented({ source: { project, format } }: Adoption, { task, id }: Member): NewEvent<Task> {
  return taskUpdated(id, { parent: adoptedId(project.id, format, task.parent ?? '') }, {});
}

/** Lists the moves of a new task to its original status. */
function movesOf({ source }: Adoption, { task, id }: Member): NewEvent<Task>[] {
  const reason = remarkOf(task);
  if (task.status === 'pending') return [];
  if (task.status === 'blocked' || task.status === 'cancelled') {
    return [statusChanged(id, { status: task.status, reason }, {})];
  }
  const claim = taskClaimed(id, { ttl_seconds: LEASE_SECONDS });
  const expect = { lock_token: CLAIMED };
  // Nobody works on it here: the next holder reads where it stood.
  if (task.status === 'in_progress') return [claim, taskReleased(id, { outcome: 'paused', reason }, expect)];
  return [claim, taskCompleted(id, { summary: reason, evidence: reported(task, source) }, expect)];
}

export function remarkOf(task: ForeignTask): string {
  return cutRemark(task.remark || `It was ${task.status} where it comes from.`);
}

export function cutRemark(text: string): string {
  return firstOf(text, REASON_CHARACTERS_MAX);
}

/** Reports the other tool's state of each criterion: the task is done there, and whether the criterion is ticked. */
export function reported({ acceptance_criteria = [], unmet = [] }: ForeignTask, { format }: Source) {
  return acceptance_criteria.map((text, at) => ({
    criterion: at + 1,
    note: `Reported as completed by ${format}${unmet.includes(text) ? ', where this criterion is not ticked' : ''}.`,
  }));
}
