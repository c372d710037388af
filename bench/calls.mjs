// The tools that are measured, each called as an agent would.
import { summary, timed } from './sample.mjs';

/** What each row of the table is, and which floor it stands on. */
export const CALLS = Object.freeze({
  create: { tool: 'create_tasks (one)', kind: 'write' },
  claim: { tool: 'claim_task (next ready)', kind: 'write' },
  complete: { tool: 'complete_task', kind: 'write' },
  note: { tool: 'record_event (task)', kind: 'write' },
  task: { tool: 'get_task', kind: 'read' },
  project: { tool: 'get_project', kind: 'read' },
  resume: { tool: 'resume_project', kind: 'read' },
  list: { tool: 'list_tasks', kind: 'read' },
  task_timeline: { tool: 'list_events (task)', kind: 'read' },
  project_timeline: { tool: 'list_events (project)', kind: 'read' },
  search: { tool: 'search', kind: 'read' },
});

/** @typedef {{ cairn: import('./rpc.mjs').Server, floor: Awaited<ReturnType<typeof import('./floor.mjs').openFloor>>, project: string, refs: string[] }} Place */
/** @typedef {{ rounds: number, calls: number, warmup: number }} Times */

/**
 * Measures every call in each place, in rounds that take all places, calls and the floor in turn: whatever else the machine
 * does meanwhile slows all of them alike.
 * @param {Place[]} places @param {Times} times
 */
export async function measureCalls(places, times) {
  /** @type {Record<string, number[]>[]} */
  const taken = places.map(() => ({}));
  for (let round = 0; round < times.rounds; round++) {
    for (const [at, place] of places.entries()) await measureRound(place, { ...times, round }, taken[at] ?? {});
  }
  return taken.map((lists) => {
    const found = Object.fromEntries(Object.entries(lists).map(([name, ms]) => [name, summary(ms)]));
    const { echo, read, insert, ...calls } = found;
    return { floor: { echo, read, insert }, calls };
  });
}

/** @param {Place} place @param {Times & { round: number }} times @param {Record<string, number[]>} taken */
async function measureRound({ cairn, floor, project, refs }, { round, calls, warmup }, taken) {
  /** @param {number} at */
  const ref = (at) => refs[(at * 7919) % refs.length] ?? '';
  const runs = {
    ...floor.runs,
    task: (/** @type {number} */ at) => cairn.call('get_task', { task: ref(at) }),
    project: () => cairn.call('get_project', { project }),
    resume: () => cairn.call('resume_project', { project }),
    list: () => cairn.call('list_tasks', { project }),
    task_timeline: (/** @type {number} */ at) => cairn.call('list_events', { task: ref(at) }),
    project_timeline: () => cairn.call('list_events', { project }),
    search: (/** @type {number} */ at) => cairn.call('search', { query: `pelican ${at % 500}`, project }),
    note: (/** @type {number} */ at) => cairn.call('record_event', { task: ref(at), text: 'The lantern is lit.' }),
  };
  /** @param {string} name @param {number} ms */
  const take = (name, ms) => {
    taken[name] ??= [];
    taken[name].push(ms);
  };
  const from = round * (warmup + calls);
  for (const [name, run] of Object.entries(runs)) {
    for (let at = from; at < from + warmup; at++) await run(at);
    for (let at = from + warmup; at < from + warmup + calls; at++) {
      take(name, (await timed(() => run(at))).ms);
    }
  }
  for (let at = -warmup; at < calls; at++) {
    const work = await workOnce(cairn, project);
    if (at >= 0) for (const [name, ms] of work) take(name, ms);
  }
}

/** Create, claim and complete: the project keeps its number of open tasks. @param {import('./rpc.mjs').Server} cairn @param {string} project @returns {Promise<[string, number][]>} */
export async function workOnce(cairn, project) {
  const from = performance.now();
  const tasks = [{ title: 'Light the lantern', acceptance_criteria: ['It is bright.'] }];
  await cairn.call('create_tasks', { project, tasks });
  const created = performance.now();
  const { task } = await cairn.call('claim_task', { project });
  const claimed = performance.now();
  const evidence = task.acceptance_criteria.map((_, at) => ({ criterion: at + 1, note: 'Seen.' }));
  await cairn.call('complete_task', { task: task.ref, lock_token: task.lock_token, summary: 'Done.', evidence });
  return [
    ['create', created - from],
    ['claim', claimed - created],
    ['complete', performance.now() - claimed],
  ];
}
