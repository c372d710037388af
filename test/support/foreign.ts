import { expect } from 'vitest';
import type { AuthFunctionName, FunctionName, JobFunctionName } from '../../src/db/functions.ts';
import { newId } from '../../src/events/ids.ts';
import { ask } from './ask.ts';
import { type Caller, createProject, createTask, hold } from './commands.ts';
import { type Filled, fillWorkspace } from './fill-workspace.ts';

/** The forms in which arguments may name things of a workspace. */
export type Refs = Record<'project' | 'task' | 'artifact' | 'decision' | 'checkpoint' | 'session' | 'event', string>;

/** The ids of what is in a story, and its short refs. */
function refsOf(story: Filled, event: string, slug: string): { ids: Refs; shorts: Refs } {
  const { project, artifact, decision, checkpoint, session, tasks } = story;
  const ids = { project, task: tasks[0] ?? '', artifact, decision, checkpoint, session, event };
  return { ids, shorts: { ...ids, project: slug, task: `${slug}-1` } };
}

/** Refs of the same form that name nothing. */
export function unknownLike({ project, task }: Refs): Refs {
  const id = () => newId();
  const short = { project: 'nowhere', task: 'nowhere-1' };
  const isShort = !/^[0-9a-f-]{36}$/.test(project) && !/^[0-9a-f-]{36}$/.test(task);
  const ids = {
    project: id(),
    task: id(),
    artifact: id(),
    decision: id(),
    checkpoint: id(),
    session: id(),
    event: id(),
  };
  return isShort ? { ...ids, ...short } : ids;
}

// Every call in which something of another workspace can be named. `own-1` is a task of the caller.
const CALLS: Record<
  Exclude<FunctionName, AuthFunctionName | JobFunctionName>,
  (refs: Refs) => Record<string, unknown>[]
> = {
  adopt_locks: ({ task }) => [{ tasks: [task] }],
  append_events: (refs) => namingEvents(refs).map((event) => ({ events: [event] })),
  archive_events: () => [],
  check_events: () => [],
  claim_task: ({ project, task }) => [{ task }, { project }, { project: 'own', filters: { parent: task } }],
  compare_checkpoint: ({ project, checkpoint }) => [{ checkpoint }, { project }],
  export_events: ({ project }) => [{ project }],
  extend_lock: ({ task }) => [{ task, lock_token: 2 }],
  get_checkpoint: ({ project, checkpoint }) => [{ checkpoint }, { project }],
  get_position: () => [{}],
  get_project: ({ project }) => [{ project }],
  get_state: ({ project }) => [{ project }, { project, seq: 1 }],
  get_task: ({ task }) => [{ task }],
  import_events: () => [],
  import_records: () => [],
  list_archives: () => [{}],
  list_artifacts: ({ task }) => [{ task }],
  list_checkpoints: ({ project }) => [{ project }],
  list_decisions: ({ project }) => [{ project, include_superseded: true }],
  list_events: ({ project, task }) => [{ project }, { task }, { after_seq: 0, page_size: 100 }],
  list_needs: ({ project }) => [{ project }, { project: 'own' }],
  list_projects: () => [{ include_archived: true, page_size: 100 }],
  list_record_parts: () => [{}],
  list_questions: ({ project, task }) => [{ project }, { task }, { project: 'own' }],
  list_sessions: ({ project }) => [{ project }],
  list_tasks: ({ project, task }) => [{ project }, { project: 'own', filters: { parent: task } }, { project: 'own' }],
  plan_archive: () => [],
  purge_idempotency_keys: () => [],
  read_records: () => [],
  redact_event: ({ event }) => [{ event, reason: 'Not mine.' }],
  replay_events: () => [],
  // A process is told apart by its id, which nobody else knows.
  report_presence: () => [{}],
  resume_project: ({ project }) => [{ project }, { project: 'own' }],
  search: ({ project }) => [{ query: 'pelican' }, { query: 'pelican', project }],
  sign_in: () => [],
  snapshot_events: () => [],
  suggest_refs: ({ project, task, checkpoint }) => [
    { kind: 'project', prefix: project },
    { kind: 'task', prefix: task },
    { kind: 'checkpoint', prefix: checkpoint },
    { kind: 'task' },
    { kind: 'checkpoint' },
  ],
  verify_events: () => [{}],
};

function namingEvents({ project, task, artifact, decision, session, event }: Refs): object[] {
  const created = (data: object) => ({
    stream: `task:${newId()}`,
    type: 'task.created',
    data: { title: 'x', ...data },
  });
  const noted = { text: 'x', kind: 'note' };
  const recorded = { title: 'x', choice: 'x', rationale: 'x' };
  return [
    { stream: `task:${task}`, type: 'task.noted', data: noted },
    { stream: `task:${task}`, type: 'task.completed', data: {}, expect: { lock_token: 2 } },
    { stream: `task:${task}`, type: 'task.updated', data: { title: 'x' }, expect: { version: 1 } },
    { stream: `task:${task}`, type: 'task.lock_broken', data: { reason: 'x' } },
    { stream: `project:${project}`, type: 'project.noted', data: noted },
    { stream: `project:${project}`, type: 'project.archived', data: {} },
    { stream: 'project:own', type: 'project.noted', data: { ...noted, answers: event } },
    created({ project }),
    created({ project: 'own', dependencies: [task] }),
    created({ project: 'own', parent: task }),
    created({ project: 'own', discovered_from: task }),
    { stream: 'task:own-1', type: 'task.dependencies_changed', data: { add: [task] } },
    { stream: 'task:own-1', type: 'task.dependencies_changed', data: { remove: [task] } },
    {
      stream: 'task:own-1',
      type: 'task.completed',
      data: { evidence: [{ criterion: 1, artifact }] },
      expect: { lock_token: 2 },
    },
    { stream: `artifact:${newId()}`, type: 'artifact.added', data: { task, type: 'other', ref: 'x' } },
    { stream: `decision:${newId()}`, type: 'decision.recorded', data: { ...recorded, project } },
    { stream: `decision:${newId()}`, type: 'decision.recorded', data: { ...recorded, project: 'own', task } },
    {
      stream: `decision:${newId()}`,
      type: 'decision.recorded',
      data: { ...recorded, project: 'own', supersedes: decision },
    },
    { stream: `checkpoint:${newId()}`, type: 'checkpoint.saved', data: { project, label: 'x', summary: 'x' } },
    { stream: `session:${newId()}`, type: 'session.saved', data: { project } },
    { stream: `session:${session}`, type: 'session.updated', data: { summary: 'x' } },
  ];
}

/** Every function but those of authorization and of jobs, which are for the server alone. */
export const EVERY_FUNCTION = Object.keys(CALLS) as (keyof typeof CALLS)[];

type Call = { fn: FunctionName; args: Record<string, unknown> };

/** Returns all that a caller learns, the result or the error, without the refs that it passed. */
async function outcome({ db, actor }: Caller, { fn, args }: Call, refs: Refs): Promise<string> {
  const learned = await db.call(fn, args, actor).then(
    (result) => ({ result }),
    ({ code, message, hint, details }) => ({ code, message, hint, details }),
  );
  return withoutRefs(JSON.stringify(learned), refs);
}

/** Removes the passed refs from an answer. */
export function withoutRefs(said: string, refs: Refs): string {
  // Longest first: web-1 before web.
  const names = [...new Set(Object.values(refs))].sort((a, b) => b.length - a.length);
  return names.reduce((text, ref) => text.replaceAll(ref, '<ref>'), said);
}

/**
 * Checks that every call treats things of another workspace, or of a project out of reach, as if they did not exist.
 */
export async function expectNothingForeign(who: Caller, refs: Refs, ids: Refs): Promise<number> {
  const unknown = unknownLike(refs);
  let calls = 0;
  for (const fn of EVERY_FUNCTION) {
    const others = CALLS[fn](unknown);
    for (const [at, args] of CALLS[fn](refs).entries()) {
      const learned = await outcome(who, { fn, args }, refs);
      const said = `${fn} ${JSON.stringify(args)}`;
      expect([said, learned]).toEqual([said, await outcome(who, { fn, args: others[at] ?? {} }, unknown)]);
      expect([said, learned]).not.toEqual([said, expect.stringMatching(/"code":"internal"/)]);
      const leaked = ['pelican', ...Object.values(ids)].filter((secret) => learned.toLowerCase().includes(secret));
      expect([said, leaked]).toEqual([said, []]);
      calls += 1;
    }
  }
  return calls;
}

/** A workspace of one's own, with a task that one holds. */
export async function settle(who: Caller): Promise<void> {
  await createProject(who, { slug: 'own', name: 'Own' });
  const { ref } = await createTask(who, { project: 'own', title: 'Mine', acceptance_criteria: ['Done.'] });
  await hold(who, ref);
}

export async function liveElsewhere(who: Caller): Promise<{ ids: Refs; shorts: Refs }> {
  const story = await fillWorkspace(who, 'zoo');
  const { events } = await ask<{ events: { id: string }[] }>(who, 'list_events', { page_size: 1 });
  return refsOf(story, events[0]?.id ?? '', 'zoo');
}
