import type * as z from 'zod';
import { ENDED, type Task, TaskBrief } from '../events/task-forms.ts';
import { named, quote } from '../quote.ts';
import {
  ChangedTask,
  type Claim,
  type Consequences,
  type CreatedTasks,
  FollowedEvent,
  type TaskPage,
  type TaskWithHistory,
} from '../services/tasks.ts';
import { only } from './fit.ts';
import {
  block,
  consequences,
  counted,
  eventLine,
  lines,
  nextPage,
  section,
  taskLine,
  taskState,
  time,
  unproven,
} from './render.ts';

export function renderCreated({ tasks, ...answer }: z.infer<typeof CreatedTasks>): string {
  const [task, ...others] = tasks;
  return lines(
    task !== undefined && others.length === 0
      ? `Created ${task.ref}, ${taskState(task)}.`
      : section('Created', tasks, taskLine),
    consequences(answer),
    'Next: claim_task takes the best ready one.',
  );
}

export function renderPage({ project, counts, tasks, next_cursor }: z.infer<typeof TaskPage>): string {
  const { ready = 0, ...statuses } = counts;
  return lines(
    `${project}: ${counted(statuses)}; ${ready} ready.`,
    tasks.length === 0 ? 'No task matches.' : tasks.map(taskLine),
    nextPage(next_cursor),
  );
}

export function renderTask(task: z.infer<typeof TaskWithHistory>): string {
  return lines(
    taskLine(task),
    `version ${task.version}, created ${time(task.created_at)}, changed ${time(task.updated_at)}` +
      `${task.rank === undefined ? '' : `, rank ${task.rank}`}`,
    briefing(task),
    task.summary !== undefined && block('completed with', task.summary),
    section(
      'evidence',
      task.evidence,
      ({ criterion, tier, note, artifact, stale }) =>
        `criterion ${criterion}, ${tier}${stale ? ', stale' : ''}${artifact ? `, artifact ${artifact}` : ''}` +
        `${note ? `: ${quote(note)}` : ''}`,
    ),
    section(
      'artifacts',
      task.artifacts,
      ({ type, ref, by, id, summary }) =>
        `${type} ${quote(ref)} by ${named(by)} (${id})${summary ? `: ${quote(summary)}` : ''}`,
    ),
    section('latest events', task.timeline, eventLine),
    task.not_shown,
  );
}

/** Formats the work as its authors described it, and its surroundings. */
function briefing(task: Task): string {
  return lines(
    task.description !== undefined && block(`description by ${named(task.created_by)}`, task.description),
    task.acceptance_criteria.length > 0 && 'acceptance criteria:',
    task.acceptance_criteria.map((text, at) => `${at + 1}. ${quote(text, 1_000)}`),
    task.scope !== undefined && `scope: ${JSON.stringify(task.scope)}`,
    section(
      'depends on',
      task.dependencies,
      ({ ref, status, title, outcome, ...link }) =>
        `${ref} ${[status, unproven(link)].filter(Boolean).join(', ')} ${quote(title)}` +
        `${outcome ? `, outcome ${quote(outcome, 500)}` : ''}`,
    ),
    section('waits for', task.waiting_for, (text) => quote(text)),
    section(
      'needed by',
      task.dependents,
      ({ ref, status, title, unproven }) =>
        `${ref} ${status}${unproven === undefined ? '' : ' unproven'} ${quote(title)}`,
    ),
    task.parts !== undefined && `open parts: ${task.parts.join(', ')}`,
    task.discovered_from !== undefined && `found during ${task.discovered_from}`,
  );
}

export function renderClaim(claim: z.infer<typeof Claim>): string {
  const { task, gates, previous } = claim;
  if (task === undefined) {
    const expiry = claim.next_expiry === undefined ? '' : ` The next lock expires ${time(claim.next_expiry)}.`;
    return lines(`Nothing to claim in ${claim.project}: ${counted(claim.counts ?? {})}.${expiry}`, claim.hint);
  }
  return lines(
    `You hold ${task.ref} until ${time(task.locked_until ?? task.updated_at)}. lock_token: ${task.lock_token}`,
    taskLine(task),
    briefing(task),
    previous !== undefined &&
      `Before you, ${named(previous.by ?? 'someone')} left it ${previous.outcome}: ${quote(previous.reason ?? '', 2_000)}`,
    section('To complete it, these are still missing', gates, (gate) => gate),
    'Next: do the work, add_artifact for what it produces, then complete_task; release_task if you cannot.',
  );
}

/** Tells of created tasks what their creator does not know. */
export function briefCreated({ tasks, ...answer }: z.infer<typeof CreatedTasks>): z.infer<typeof CreatedTasks> {
  return { tasks: tasks.map((task) => only(TaskBrief, task)), ...briefly(answer) };
}

/** Tells of a changed task what its holder does not know. */
export function briefChange({ task, repeated, ...answer }: ChangedTask): ChangedTask {
  return { task: only(ChangedTask.shape.task, task), ...(repeated && { repeated }), ...briefly(answer) };
}

function briefly({ followed, ...answer }: Consequences): Consequences {
  return { ...(followed && { followed: followed.map((event) => only(FollowedEvent, event)) }), ...answer };
}

export function renderChange({ task, repeated, ...answer }: ChangedTask): string {
  return lines(
    repeated === true && 'Nothing to do: this succeeded before.',
    `${task.ref} ${taskState(task)}, version ${task.version}`,
    task.unproven !== undefined &&
      `Nothing shows criteria ${task.unproven.join(', ')}. To show them: update_task with status reopened, ` +
        'claim_task, then complete_task with evidence.',
    task.parts !== undefined && ENDED.has(task.status) && `Its parts are still open: ${task.parts.join(', ')}.`,
    consequences(answer),
    task.status === 'completed' && 'Next: claim_task takes the best ready one.',
  );
}
