import type { Step } from '../services/steps.ts';

const STATES: readonly Step['status'][] = ['pending', 'running', 'completed', 'failed', 'skipped', 'cancelled'];

/** What two reports tell of one step, as the database puts it together (`app.store_steps`). */
export function merged(one: Step, other: Step): Step {
  const most = <Name extends keyof Step>(name: Name) => {
    const [former, later] = [one[name], other[name]];
    const value = former === undefined || (later !== undefined && later > former) ? later : former;
    return value === undefined ? {} : { [name]: value };
  };
  const above = other.parent_span_id ?? one.parent_span_id;
  return {
    ...other,
    ...one,
    ...(above !== undefined && { parent_span_id: above }),
    name: other.name.length > one.name.length ? other.name : one.name,
    status: STATES.indexOf(other.status) > STATES.indexOf(one.status) ? other.status : one.status,
    started_at: other.started_at < one.started_at ? other.started_at : one.started_at,
    ...most('completed_at'),
    ...most('duration_ms'),
    ...most('tokens_in'),
    ...most('tokens_out'),
    ...most('tokens_cached'),
    ...most('tokens_cache_written'),
    ...most('waited_ms'),
    ...(other.content && { content: { ...one.content, ...other.content } }),
  };
}
