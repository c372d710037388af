import type { Context } from '../context.ts';

export type Expectation = { version?: number | undefined; lock_token?: number | undefined };

/** Something that happened, for SQL to judge. `State` is the row that it makes. */
export type NewEvent<State = unknown> = {
  stream: string;
  type: string;
  data: Record<string, unknown>;
  expect?: Expectation | undefined;
  readonly state?: State;
};

type StateOf<Event> = Event extends NewEvent<infer State> ? State : never;

type Appended<State> = {
  stream: string;
  type: string;
  /** Absent, like `id` and `version`, when the event repeats an earlier one that succeeded. */
  seq?: number;
  id?: string;
  version?: number;
  repeated?: true;
  /** The read-model row after the event, so that no second read is needed. */
  state: State;
};

/** The events that rules and dependency policy added, in the same transaction. */
type Followed = { seq: number; type: string; stream: string; ref?: string };

export type Answer<Events extends readonly NewEvent[]> = {
  events: { [Place in keyof Events]: Appended<StateOf<Events[Place]>> };
  /** The first of the events that followed, and their number if there are more. */
  followed: Followed[];
  followed_total?: number;
  /** The tasks that became ready because others ended: at most 20 refs, the best first. */
  freed?: string[];
  freed_total?: number;
};

/** Appends events: all or none. One command makes one append, because its idempotency key remembers one answer. */
export function append<const Events extends readonly NewEvent[]>(
  ctx: Context,
  events: Events,
): Promise<Answer<Events>> {
  return ctx.db.call('append_events', { events, ...(ctx.command && { command: ctx.command }) }, ctx.actor);
}
