import type * as z from 'zod';
import type { Context } from '../context.ts';
import { DomainError } from '../errors.ts';
import { append, type NewEvent } from '../events/append.ts';
import {
  type PRIORITIES,
  type STATUSES,
  statusChanged,
  type Task,
  TaskCreated,
  taskCreated,
  taskUpdated,
} from '../events/tasks.ts';
import { adoptedId, type Plan } from './adoption-plan.ts';
import { type CompleteTask, claimTask, completeTask, getTask, releaseTask } from './tasks.ts';

/** A task as another tool kept it. */
export type ForeignTask = {
  /** Its name there: what the links of others name, and what a repeat finds it by. */
  key: string;
  /** Where it stands, for messages: `tasks.json line 12`. */
  place: string;
  title: string;
  description?: string | undefined;
  acceptance_criteria?: string[] | undefined;
  priority?: (typeof PRIORITIES)[number] | undefined;
  status: (typeof STATUSES)[number];
  /** What was said of the status: how it ended, why it is blocked. */
  remark?: string | undefined;
  dependencies: string[];
  parent?: string | undefined;
  discovered_from?: string | undefined;
  /** What Cairn has no place for. */
  left_out?: string[] | undefined;
};

/** Where tasks come from, and the project that they go to. */
export type Source = { project: { id: string; slug: string }; format: string };

export type Adopted = { created: number; present: number; moved: number; warnings: string[] };

/** `late`: what it is a part of comes after it in the order. `known`: as it is in the project already. */
type Member = { task: ForeignTask; id: string; late: boolean; known: Known | undefined };
type Known = Pick<Task, 'version' | 'status' | 'locked_by' | 'parent'>;

const AGENT = 'import';
const BATCH_SIZE = 50;
const LOOKUPS_AT_ONCE = 8;
const REMARK_MAX = 4_000;
// What an interrupted import holds is free again soon.
const LEASE_SECONDS = 60;

/** Which of the tasks are in the project already, by their names in the other tool. */
export async function findAdopted(ctx: Context, { tasks }: Plan, source: Source): Promise<string[]> {
  const members = await lookUp(ctx, tasks, source);
  return members.filter(({ known }) => known !== undefined).map(({ task }) => task.key);
}

/** Creates the tasks that are not there, then moves each to its status. A repeat goes on where it ended, and changes nothing more. */
export async function adoptTasks(caller: Context, { tasks, warnings }: Plan, source: Source): Promise<Adopted> {
  const ctx = { ...caller, actor: { ...caller.actor, agent: AGENT } };
  const members = await lookUp(ctx, tasks, source);
  const absent = members.filter(({ known }) => known === undefined);
  for (let from = 0; from < absent.length; from += BATCH_SIZE) {
    await append(
      ctx,
      absent.slice(from, from + BATCH_SIZE).map((member) => creation(member, source)),
    );
  }
  const result = { created: absent.length, present: members.length - absent.length, moved: 0, warnings: [...warnings] };
  for (const { id, task, late, known } of members) {
    if (!late || (known !== undefined && (known.version > 1 || known.parent !== undefined))) continue;
    await append(ctx, [
      taskUpdated(id, { parent: adoptedId(source.project.id, source.format, task.parent ?? '') }, {}),
    ]);
  }
  // Cancelling blocks what depends on it, so that comes last.
  const isLast = ({ task }: Member) => task.status === 'cancelled';
  for (const member of [...members.filter((one) => !isLast(one)), ...members.filter(isLast)]) {
    if (member.task.status === 'pending' || !isUntouched(member)) continue;
    const problem = await moveToStatus(ctx, member, source);
    if (problem === undefined) result.moved += 1;
    else result.warnings.push(`${member.task.key}: it could not become ${member.task.status}: ${problem}`);
  }
  return result;
}

async function lookUp(ctx: Context, tasks: ForeignTask[], { project, format }: Source): Promise<Member[]> {
  const places = new Map(tasks.map(({ key }, at) => [key, at]));
  const members: Member[] = [];
  for (let from = 0; from < tasks.length; from += LOOKUPS_AT_ONCE) {
    const some = tasks.slice(from, from + LOOKUPS_AT_ONCE).map(async (task, at): Promise<Member> => {
      const id = adoptedId(project.id, format, task.key);
      const late = task.parent !== undefined && (places.get(task.parent) ?? 0) > from + at;
      return { task, id, late, known: await lookUpOne(ctx, id) };
    });
    members.push(...(await Promise.all(some)));
  }
  return members;
}

async function lookUpOne(ctx: Context, id: string): Promise<Known | undefined> {
  try {
    return await getTask(ctx, { task: id, timeline_size: 0 });
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not_found') return undefined;
    throw error;
  }
}

function creation({ task, id, late }: Member, { project, format }: Source): NewEvent<Task> {
  const idOf = (key: string) => adoptedId(project.id, format, key);
  const data = TaskCreated.parse({
    title: task.title,
    description: task.description || undefined,
    acceptance_criteria: task.acceptance_criteria,
    priority: task.priority,
    dependencies: task.dependencies.map(idOf),
    parent: task.parent !== undefined && !late ? idOf(task.parent) : undefined,
    discovered_from: task.discovered_from && idOf(task.discovered_from),
  });
  return taskCreated(id, { ...data, project: project.slug });
}

/** Nobody has worked on it since it was created here. */
function isUntouched({ known, late }: Member): boolean {
  if (known === undefined || known.locked_by === AGENT) return true;
  return known.status === 'pending' && known.version <= (late ? 2 : 1);
}

/** Gives the task its status through the moves there are; answers with why that was refused. */
async function moveToStatus(ctx: Context, { task, id, known }: Member, source: Source): Promise<string | undefined> {
  const reason = (task.remark ?? `It was ${task.status} where it comes from.`).slice(0, REMARK_MAX);
  try {
    if (task.status === 'blocked' || task.status === 'cancelled') {
      await append(ctx, [statusChanged(id, { status: task.status, reason }, {})]);
      return undefined;
    }
    const { task: held } = await claimTask(ctx, {
      task: id,
      ttl_seconds: LEASE_SECONDS,
      // An import that was interrupted goes on with what it held.
      take_over: known?.locked_by === AGENT,
    });
    const lock = { task: id, lock_token: held?.lock_token ?? 0 };
    if (task.status === 'in_progress') {
      // Nobody works on it here: whoever claims it reads where it stood.
      await releaseTask(ctx, { ...lock, outcome: 'paused', reason });
      return undefined;
    }
    return await complete(ctx, { ...lock, summary: reason, evidence: reported(task, source) });
  } catch (error) {
    if (!(error instanceof DomainError) || error.retryable) throw error;
    return error.message;
  }
}

/** What the other tool says of each criterion: that the task is done there. */
function reported({ acceptance_criteria = [] }: ForeignTask, { format }: Source): Completion['evidence'] {
  return acceptance_criteria.map((_, at) => ({ criterion: at + 1, note: `Reported as completed by ${format}.` }));
}

type Completion = z.output<typeof CompleteTask>;

async function complete(ctx: Context, completion: Completion): Promise<string | undefined> {
  const { task, lock_token, summary = '' } = completion;
  try {
    await completeTask(ctx, completion);
    return undefined;
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'gate_unmet') throw error;
    const reason = `${summary}\n${error.message}`.slice(0, REMARK_MAX);
    await releaseTask(ctx, { task, lock_token, outcome: 'paused', reason });
    return error.message;
  }
}
