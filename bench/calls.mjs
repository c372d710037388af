// The tools that are measured, each called as an agent would.
import { sample, summary } from './sample.mjs';

/** @typedef {import('./sample.mjs').Sample} Sample */

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

/**
 * Measures every call in one project.
 * @param {import('./rpc.mjs').Server} cairn @param {{ project: string, refs: string[] }} where
 * @param {{ warmup: number, n: number }} times @returns {Promise<Record<keyof typeof CALLS, Sample>>}
 */
export async function measureCalls(cairn, { project, refs }, times) {
  /** @param {number} at */
  const ref = (at) => refs[(at * 7919) % refs.length] ?? '';
  const reads = {
    task: (/** @type {number} */ at) => cairn.call('get_task', { task: ref(at) }),
    project: () => cairn.call('get_project', { project }),
    resume: () => cairn.call('resume_project', { project }),
    list: () => cairn.call('list_tasks', { project }),
    task_timeline: (/** @type {number} */ at) => cairn.call('list_events', { task: ref(at) }),
    project_timeline: () => cairn.call('list_events', { project }),
    search: (/** @type {number} */ at) => cairn.call('search', { query: `pelican ${at % 500}`, project }),
  };
  /** @type {Record<string, Sample>} */
  const found = {};
  for (const [name, run] of Object.entries(reads)) found[name] = await sample(times, run);
  found.note = await sample(times, (at) => cairn.call('record_event', { task: ref(at), text: 'The lantern is lit.' }));
  return { ...found, ...(await measureWork(cairn, project, times)) };
}

/** Create, claim and complete in turn, so that the project keeps its number of open tasks. */
async function measureWork(cairn, project, { warmup, n }) {
  /** @type {Record<string, number[]>} */
  const taken = { create: [], claim: [], complete: [] };
  for (let at = 0; at < warmup + n; at++) {
    for (const [name, ms] of await workOnce(cairn, project)) if (at >= warmup) taken[name]?.push(ms);
  }
  return Object.fromEntries(Object.entries(taken).map(([name, times]) => [name, summary(times)]));
}

/** @param {import('./rpc.mjs').Server} cairn @param {string} project @returns {Promise<[string, number][]>} */
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
