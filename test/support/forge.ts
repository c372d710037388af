import type pg from 'pg';
import { newId } from '../../src/events/ids.ts';
import type { Exported } from './commands.ts';

const HASHES = `
  select h.payload_hash::text, app.event_hash(jsonb_populate_record(null::public.events, e.event
      || jsonb_build_object('payload_hash', h.payload_hash)))::text as hash
  from (select $1::jsonb as event) e cross join lateral (select app.payload_hash(e.event -> 'payload') as payload_hash) h`;

/**
 * The chain made anew over events that somebody changed, as anybody can: its hashes need no key. `heads` are the
 * chains' ends so far.
 */
export async function forge(
  sql: pg.Pool | pg.Client,
  events: Exported[],
  heads = new Map<unknown, unknown>(),
): Promise<Exported[]> {
  const forged: Exported[] = [];
  for (const event of events) {
    const linked = { ...event, prev_hash: heads.get(event['project_id']) ?? null };
    const { rows } = await sql.query<{ payload_hash: string; hash: string }>(HASHES, [JSON.stringify(linked)]);
    forged.push({ ...linked, ...rows[0] });
    heads.set(event['project_id'], rows[0]?.hash);
  }
  return forged;
}

export function payloadOf(events: Exported[], type: string): Record<string, unknown> {
  return events.find(({ event_type }) => event_type === type)?.payload ?? {};
}

export function first(events: Exported[], type: string): Exported {
  return events.find(({ event_type }) => event_type === type) as Exported;
}

/** The task that waits for the first one. */
export function dependent(events: Exported[]): Exported {
  return events.find(({ payload }) => Array.isArray(payload['dependencies'])) as Exported;
}

export function waitFor(events: Exported[], task: unknown): void {
  Object.assign(payloadOf(events, 'task.created'), { dependencies: [task] });
}

/** One more event of the first task, by an agent or none. */
export function add(events: Exported[], event_type: string, { agent, ...payload }: Record<string, unknown>): void {
  const task = first(events, 'task.created');
  const version = 1 + events.filter(({ stream }) => stream === task.stream).length;
  const by = { ...(task['actor'] as object), agent };
  events.push({ ...task, id: newId(), version, event_type, payload, actor: by } as Exported);
}

export function redactionOf(events: Exported[], id: unknown, project_id: unknown): void {
  const session = first(events, 'session.saved');
  const named = { id: newId(), stream: `event:${id}`, event_type: 'event.redacted', payload: { reason: 'x' } };
  events.push({ ...session, ...named, version: 1, project_id } as Exported);
}
