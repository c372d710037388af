// The tools that are measured, each called as an agent would.
import type * as z from 'zod';
import type { Claim } from '../src/services/tasks.ts';
import type { Floor } from './floor.ts';
import type { Server } from './rpc.ts';
import { type Sample, summary, timed } from './sample.ts';

/** The rows of the table, each with the floor it is compared with. */
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
} as const);

export type CallName = keyof typeof CALLS;
export type FloorName = 'echo' | 'read' | 'insert';
export type Place = { cairn: Server; floor: Floor; project: string; refs: string[] };
export type Measured = { floor: Record<FloorName, Sample>; calls: Record<CallName, Sample> };
export type Times = { rounds: number; calls: number; warmup: number };

/**
 * Measures every call in each place, in rounds that take all places, calls and the floor in turn: whatever else the
 * machine does meanwhile slows all of them alike.
 */
export async function measureCalls<In extends Place>(
  places: In[],
  times: Times,
): Promise<(Measured & { place: In })[]> {
  const runs = places.map((place) => ({ place, taken: {} as Record<string, number[]> }));
  for (let round = 0; round < times.rounds; round++) {
    for (const { place, taken } of runs) await measureRound(place, { ...times, round }, taken);
  }
  return runs.map(({ place, taken }) => {
    const found = Object.fromEntries(Object.entries(taken).map(([name, ms]) => [name, summary(ms)]));
    const { echo, read, insert, ...calls } = found as Record<CallName | FloorName, Sample>;
    return { place, floor: { echo, read, insert }, calls };
  });
}

async function measureRound(
  { cairn, floor, project, refs }: Place,
  { round, calls, warmup }: Times & { round: number },
  taken: Record<string, number[]>,
): Promise<void> {
  const ref = (at: number) => refs[(at * 7919) % refs.length] ?? '';
  const runs: Record<string, (at: number) => Promise<unknown>> = {
    ...floor.runs,
    task: (at) => cairn.call('get_task', { task: ref(at) }),
    project: () => cairn.call('get_project', { project }),
    resume: () => cairn.call('resume_project', { project }),
    list: () => cairn.call('list_tasks', { project }),
    task_timeline: (at) => cairn.call('list_events', { task: ref(at) }),
    project_timeline: () => cairn.call('list_events', { project }),
    search: (at) => cairn.call('search', { query: `pelican ${at % 500}`, project }),
    note: (at) => cairn.call('record_event', { task: ref(at), text: 'The lantern is lit.' }),
  };
  const take = (name: string, ms: number) => {
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

/** Create, claim and complete: the project keeps its number of open tasks. */
export async function workOnce(cairn: Server, project: string): Promise<[string, number][]> {
  const from = performance.now();
  const tasks = [{ title: 'Light the lantern', acceptance_criteria: ['It is bright.'] }];
  await cairn.call('create_tasks', { project, tasks });
  const created = performance.now();
  const { task } = await cairn.call<z.infer<typeof Claim>>('claim_task', { project });
  if (task === undefined) throw new Error('There was nothing to claim.');
  const claimed = performance.now();
  const evidence = task.acceptance_criteria.map((_, at) => ({ criterion: at + 1, note: 'Seen.' }));
  await cairn.call('complete_task', { task: task.ref, lock_token: task.lock_token, summary: 'Done.', evidence });
  return [
    ['create', created - from],
    ['claim', claimed - created],
    ['complete', performance.now() - claimed],
  ];
}
