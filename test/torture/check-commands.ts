// What must hold of commands, whatever happened to their runners.
import type pg from 'pg';
import type { Context } from '../../src/context.ts';
import type { Local } from '../../src/local.ts';
import { replayEvents, verifyEvents } from '../../src/services/transfer.ts';

type Row = {
  seq: number;
  id: string;
  type: string;
  at: number;
  agent: string;
  priority: number;
  mode: string;
  created: number;
};
type Waiting = Pick<Row, 'id' | 'priority' | 'mode' | 'created'> & { since: number };

const ENDS = `select count(*) filter (where n = 1)::int as once, count(*)::int as all
    from (
      select count(e.id) filter (where e.event_type = $1) as n
      from (select distinct stream from public.events where starts_with(stream, $2)) s
      join public.events e on e.stream = s.stream
      group by s.stream) x`;
const EVENTS = `select e.seq::int as seq, r.id, e.event_type as type, extract(epoch from e.created_at) * 1000 as at,
      r.agent_name as agent, r.priority, r.delivery_mode as mode, extract(epoch from r.created_at) * 1000 as created
    from public.events e
    join public.agent_runs r on r.tenant_id = e.tenant_id and e.stream = 'run:' || r.id
    where e.event_type in ('run.queued', 'run.requeued', 'run.claimed', 'run.finished')
    order by e.seq`;

// A command that is sent while a claim looks at the queue may miss it.
const RACE_MS = 1_000;

/** Answers with what is wrong; nothing is right. */
export async function checkCommands(
  ctx: Context,
  { connect }: Pick<Local, 'connect'>,
): Promise<{ runs: number; wrong: string[] }> {
  const client = await connect();
  try {
    const runs = await ends(client, 'run.finished', 'run:');
    const { rows } = await client.query<{ left: number }>(
      'select count(*)::int as left from public.commands where completed_at is null',
    );
    const { rows: events } = await client.query<Row>(EVENTS);
    const wrong = [...runs.wrong, ...unordered(events)];
    if (rows[0]?.left !== 0) wrong.push(`${rows[0]?.left} commands have no end.`);
    const { ok } = await verifyEvents(ctx, {});
    if (!ok) wrong.push('The log does not verify, or the tables differ from it.');
    await replayEvents(ctx, {});
    return { runs: runs.count, wrong };
  } finally {
    await client.end();
  }
}

async function ends(client: pg.Client, type: string, streams: string): Promise<{ count: number; wrong: string[] }> {
  const { rows } = await client.query<{ once: number; all: number }>(ENDS, [type, streams]);
  const { once, all } = rows[0] ?? { once: 0, all: 0 };
  return { count: all, wrong: once === all ? [] : [`${all - once} of ${all} have not exactly one ${type}.`] };
}

/** Lists the claims that left something more urgent waiting. What joins a turn comes before what waits for its end. */
function unordered(events: readonly Row[]): string[] {
  const queues = new Map<string, Map<string, Waiting>>();
  const wrong: string[] = [];
  for (const { seq, id, type, at, agent, priority, mode, created } of events) {
    const queue = queues.get(agent) ?? new Map<string, Waiting>();
    queues.set(agent, queue);
    if (type === 'run.queued' || type === 'run.requeued') queue.set(id, { id, priority, mode, created, since: at });
    else queue.delete(id);
    if (type !== 'run.claimed') continue;
    const passed = [...queue.values()].find(
      (other) =>
        at - other.since > RACE_MS &&
        (mode === 'turn' || other.mode !== 'turn') &&
        (other.priority > priority || (other.priority === priority && other.created < created)),
    );
    if (passed !== undefined) wrong.push(`${agent} took ${id} (${seq}) before ${passed.id}.`);
  }
  return wrong;
}
