import type { Context } from '../context.ts';
import { DomainError } from '../errors.ts';
import { append } from '../events/append.ts';
import { statusChanged } from '../events/tasks.ts';
import type { ForeignTask } from '../formats/foreign-task.ts';
import {
  type Adopted,
  type Adoption,
  createTogether,
  cutRemark,
  type Known,
  LEASE_SECONDS,
  type Member,
  parented,
  remarkOf,
  reported,
  type Source,
} from './adoption-events.ts';
import { adoptedId, type Plan } from './adoption-plan.ts';
import { getProject } from './projects.ts';
import { claimTask, completeTask, getTask, releaseTask } from './tasks.ts';

const AGENT = 'import';
// At most four events for each, and an append takes 200.
const BATCH_SIZE = 50;
const LOOKUPS_AT_ONCE = 8;

/** Names the tasks that are in the project already, as the other tool names them. */
export async function findAdopted(ctx: Context, { tasks }: Plan, source: Source): Promise<string[]> {
  const members = await lookUp(ctx, tasks, source);
  return members.filter(({ known }) => known !== undefined).map(({ task }) => task.key);
}

/** Creates the missing tasks in their original state. A repeat resumes, and changes nothing more. */
export async function adoptTasks(caller: Context, { tasks, warnings }: Plan, source: Source): Promise<Adopted> {
  const ctx = { ...caller, actor: { ...caller.actor, agent: AGENT } };
  const members = await lookUp(ctx, tasks, source);
  const absent = members.filter(({ known }) => known === undefined);
  const present = members.filter(({ known }) => known !== undefined);
  const adoption: Adoption = {
    ctx,
    source,
    result: { created: 0, present: present.length, moved: 0, warnings: [...warnings] },
    placed: new Set(),
    cancelled: new Set(present.filter(({ known }) => known?.status === 'cancelled').map(({ task }) => task.key)),
  };
  const size = await batchSize(ctx, source);
  for (let from = 0; from < absent.length; from += size) {
    await createTogether(adoption, absent.slice(from, from + size));
  }
  for (const member of members) {
    if (!lacksParent(adoption, member)) continue;
    await warned(adoption, member, {
      to: `a part of ${member.task.parent}`,
      run: () => append(ctx, [parented(adoption, member)]),
    });
  }
  for (const member of present) await settle(adoption, member);
  return adoption.result;
}

/**
 * Returns the batch size: each rule may follow each event, and an append lets few follow, so with rules each task has
 * its own.
 */
async function batchSize(ctx: Context, { project: { slug } }: Source): Promise<number> {
  const { rules } = (await getProject(ctx, { project: slug })).project;
  return Array.isArray(rules['triggers']) && rules['triggers'].length > 0 ? 1 : BATCH_SIZE;
}

function lacksParent({ placed }: Adoption, { task, late, known }: Member): boolean {
  if (task.parent === undefined) return false;
  return known === undefined ? late && !placed.has(task.key) : known.version === 1 && known.parent === undefined;
}

async function lookUp(ctx: Context, tasks: ForeignTask[], { project, format }: Source): Promise<Member[]> {
  const places = new Map(tasks.map(({ key }, at) => [key, at]));
  const members: Member[] = [];
  for (let from = 0; from < tasks.length; from += LOOKUPS_AT_ONCE) {
    const some = tasks.slice(from, from + LOOKUPS_AT_ONCE).map(async (task, at): Promise<Member> => {
      const id = adoptedId(project.id, format, task.key);
      const late = task.parent !== undefined && (places.get(task.parent) ?? 0) > from + at;
      return { task, id, late, known: await lookUpOne(ctx, id), warnings: [] };
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

/** Completes the status of a task from an interrupted import; leaves it if somebody went on with it or holds it. */
async function settle(adoption: Adoption, member: Member): Promise<void> {
  const { task, known } = member;
  if (task.status === 'pending' || known === undefined) return;
  const isOwn = known.locked_by === AGENT;
  if (known.locked_by !== undefined && !isOwn && task.status !== 'in_progress') {
    adoption.result.warnings.push(
      `${task.key}: it is held by ${known.locked_by}, so it did not become ${task.status}.`,
    );
  }
  const isUntouched = known.status === 'pending' && known.version <= (task.parent === undefined ? 1 : 2);
  if (!isOwn && !isUntouched) return;
  const move = { to: task.status, run: () => moveToStatus(adoption, member) };
  if (await warned(adoption, member, move)) adoption.result.moved += 1;
}

/** Tells whether a move succeeded: a refusal becomes a warning, and so does an agent that was faster. */
async function warned(
  { result }: Adoption,
  { task }: Member,
  { to, run }: { to: string; run(): Promise<unknown> },
): Promise<boolean> {
  try {
    await run();
    return true;
  } catch (error) {
    if (!(error instanceof DomainError) || (error.retryable && error.code !== 'lock_held')) throw error;
    result.warnings.push(`${task.key}: it could not become ${to}: ${error.message}`);
    return false;
  }
}

async function moveToStatus({ ctx, source }: Adoption, { task, id, known }: Member): Promise<void> {
  const reason = remarkOf(task);
  if (task.status === 'blocked' || task.status === 'cancelled') {
    await append(ctx, [statusChanged(id, { status: task.status, reason }, {})]);
    return;
  }
  const { task: held } = await claimTask(ctx, {
    task: id,
    ttl_seconds: LEASE_SECONDS,
    // An interrupted import takes over its own claims.
    take_over: known?.locked_by === AGENT,
  });
  const lock = { task: id, lock_token: held?.lock_token ?? 0 };
  if (task.status === 'in_progress') {
    // Nobody works on it here: the next holder reads where it stood.
    await releaseTask(ctx, { ...lock, outcome: 'paused', reason });
    return;
  }
  try {
    await completeTask(ctx, { ...lock, summary: reason, evidence: reported(task, source) });
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'gate_unmet') throw error;
    const change = {
      status: 'blocked' as const,
      reason: cutRemark(`${reason}\n${error.message}`),
    };
    await append(ctx, [statusChanged(id, change, { lock_token: lock.lock_token })]);
    throw error;
  }
}
