import { expect } from 'vitest';
import {
  AUTH_FUNCTIONS,
  type AuthFunctionName,
  FUNCTIONS,
  type FunctionName,
  JOB_FUNCTIONS,
  type JobFunctionName,
} from '../../src/db/functions.ts';
import { newId } from '../../src/events/ids.ts';
import { ask } from './ask.ts';
import { ASKED, namingEvents, type Refs } from './categories.ts';
import { type Caller, createProject, createTask, hold } from './commands.ts';
import { type Filled, fillWorkspace } from './fill-workspace.ts';

/** The ids of what is in a story, and its short refs. */
export function refsOf(story: Filled, event: string, slug: string): { ids: Refs; shorts: Refs } {
  const { tasks, ...named } = story;
  const ids = { ...named, task: tasks[0] ?? '', event };
  return { ids, shorts: { ...ids, project: slug, task: `${slug}-1` } };
}

/** Refs of the same form that name nothing. */
export function unknownLike(refs: Refs): Refs {
  const { project, task } = refs;
  const short = { project: 'nowhere', task: 'nowhere-1' };
  const isShort = !/^[0-9a-f-]{36}$/.test(project) && !/^[0-9a-f-]{36}$/.test(task);
  const ids = Object.fromEntries(Object.keys(refs).map((name) => [name, newId()])) as Refs;
  return isShort ? { ...ids, ...short } : ids;
}

type Called = Exclude<FunctionName, AuthFunctionName | JobFunctionName>;

// What belongs to no category. Every call in which something of another workspace can be named; `own-1` is a task of
// the caller.
const OTHERS: Partial<Record<Called, (refs: Refs) => object[]>> = {
  append_events: (refs) => namingEvents(refs).map((event) => ({ events: [event] })),
  archive_events: () => [],
  check_events: () => [],
  export_events: ({ project }) => [{ project }],
  get_position: () => [{}],
  import_events: () => [],
  import_records: () => [],
  list_archives: () => [{}],
  list_events: ({ project, task }) => [{ project }, { task }, { after_seq: 0, page_size: 100 }],
  list_record_parts: () => [{}],
  plan_archive: () => [],
  purge_idempotency_keys: () => [],
  read_records: () => [],
  redact_event: ({ event }) => [{ event, reason: 'Not mine.' }],
  replay_events: () => [],
  // A process is told apart by its id, which nobody else knows.
  report_presence: () => [{}],
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

/** Every function but those of authorization and of jobs, which are for the server alone. */
export const EVERY_FUNCTION = Object.keys(FUNCTIONS).filter(
  (fn) => !Object.hasOwn({ ...AUTH_FUNCTIONS, ...JOB_FUNCTIONS }, fn),
) as Called[];

function callsOf(fn: Called, refs: Refs): Record<string, unknown>[] {
  const naming = ASKED[fn]?.naming ?? OTHERS[fn];
  if (naming === undefined) throw new Error(`test/categories says nothing of the function ${fn}.`);
  return naming(refs).map((args) => ({ ...args }));
}

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
    const others = callsOf(fn, unknown);
    for (const [at, args] of callsOf(fn, refs).entries()) {
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
