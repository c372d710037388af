import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { type RawAgent, startRaw } from '../support/raw-agent.ts';

const PROCESSES = 8;
const TASKS = 200;
const GIVEN_BACK_BY_EACH = 3;

let world: LocalWorld;
let agents: RawAgent[];

beforeAll(async () => {
  world = await openLocalWorld();
  const start = (_: unknown, at: number) =>
    startRaw(['--data-dir', world.dataDir, '--project', 'web', '--agent', `agent-${at}`]);
  agents = await Promise.all(Array.from({ length: PROCESSES }, start));
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await world.close();
});

type Move = { ref: string; by: string; type: string; token: number };
type Held = { ref: string; lock_token: number };

/**
 * Claims and completes until all is done; what is given back first, another agent takes. Answers with what was
 * acknowledged.
 */
async function work(agent: RawAgent, by: string): Promise<Move[]> {
  const acknowledged: Move[] = [];
  for (let turn = 0; ; turn += 1) {
    const claimed = await agent.call('claim_task');
    if (claimed.isError) throw new Error(claimed.text);
    const task = claimed.data['task'] as Held | undefined;
    if (task === undefined && (claimed.data['counts'] as { completed: number }).completed === TASKS)
      return acknowledged;
    if (task === undefined) continue;
    const { ref, lock_token } = task;
    acknowledged.push({ ref, by, type: 'task.claimed', token: lock_token });
    const type = turn < GIVEN_BACK_BY_EACH ? 'task.released' : 'task.completed';
    const answer =
      type === 'task.released'
        ? await agent.call('release_task', { task: ref, lock_token, outcome: 'paused', reason: 'Lunch.' })
        : await agent.call('complete_task', { task: ref, lock_token, summary: `By ${by}.` });
    if (answer.isError) throw new Error(answer.text);
    acknowledged.push({ ref, by, type, token: lock_token });
  }
}

test(`${PROCESSES} processes race for ${TASKS} tasks: each is held by one at a time and completed once, nothing is lost`, async () => {
  const [planner] = agents as [RawAgent, ...RawAgent[]];
  await planner.call('create_project', { slug: 'web', name: 'Web' });
  for (let batch = 0; batch < TASKS / 50; batch += 1) {
    const tasks = Array.from({ length: 50 }, (_, at) => ({ title: `Task ${batch * 50 + at}` }));
    await planner.call('create_tasks', { tasks });
  }
  // All want the same one first: one gets it.
  const wanted = await Promise.all(agents.map((agent) => agent.call('claim_task', { task: 'web-100' })));
  const winner = wanted.findIndex(({ isError }) => !isError);
  const { lock_token } = (wanted[winner]?.data['task'] ?? {}) as Held;
  const release = { task: 'web-100', lock_token, outcome: 'paused', reason: 'Won.' };
  await agents[winner]?.call('release_task', release);

  const acknowledged = (await Promise.all(agents.map((agent, at) => work(agent, `agent-${at}`)))).flat();

  expect(wanted.filter(({ isError, text }) => isError && text.startsWith('lock_held'))).toHaveLength(PROCESSES - 1);
  const log = await world.rows<Move & { seq: number }>(`
    select e.seq::int, t.ref, e.actor ->> 'agent' as by, e.event_type as type, coalesce(e.payload ->> 'lock_token', e.version::text)::int as token
      from public.events e join public.tasks t on t.id = e.task_id
     where e.event_type <> 'task.created' order by e.seq`);
  const race: Move[] = log.slice(2).map(({ seq: _, ...move }) => move);
  expect(sorted(race)).toEqual(sorted(acknowledged));
  // Between a claim and its end nobody else appears; the end is by who claimed, with that claim's token.
  for (let task = 1; task <= TASKS; task += 1) {
    const moves = race.filter(({ ref }) => ref === `web-${task}`);
    expect(moves.map(({ type }) => type).join(' ')).toMatch(
      /^(task\.claimed task\.released )*task\.claimed task\.completed$/,
    );
    for (let at = 0; at < moves.length; at += 2) {
      expect(moves[at + 1]).toMatchObject({ by: moves[at]?.by, token: moves[at]?.token });
    }
  }
  const [positions] = await world.rows('select count(*)::int, min(seq)::int, max(seq)::int from public.events');
  const events = 1 + TASKS + 2 + acknowledged.length;
  expect(positions).toEqual({ count: events, min: 1, max: events });
  expect(acknowledged).toHaveLength(2 * (TASKS + PROCESSES * GIVEN_BACK_BY_EACH));
  expect(await world.verify()).toMatchObject({ ok: true, events });
});

function sorted(moves: Move[]): string[] {
  return moves.map(({ ref, by, type, token }) => `${ref} ${by} ${type} ${token}`).sort();
}
