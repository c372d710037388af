import type pg from 'pg';
import type { Exported } from './commands.ts';

const HASHES = `
  select h.payload_hash::text, app.event_hash(jsonb_populate_record(null::public.events, e.event
      || jsonb_build_object('payload_hash', h.payload_hash)))::text as hash
  from (select $1::jsonb as event) e cross join lateral (select app.payload_hash(e.event -> 'payload') as payload_hash) h`;

/** The chain made anew over events that somebody changed, as anybody can: its hashes need no key. `heads` are the chains' ends so far. */
export async function forge(
  sql: pg.Pool,
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
