import type { Context } from '../context.ts';

export type Expectation = { version?: number | undefined; lock_token?: number | undefined };

/** Something that happened, for the door to judge. `State` is the row that it makes. */
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
  /** Absent, like `id` and `version`, when the event repeats one that succeeded before. */
  seq?: number;
  id?: string;
  version?: number;
  repeated?: true;
  /** The read-model row after the event, so that no second read is needed. */
  state: State;
};

/** What rules and dependency policy made of it, in the same transaction. */
type Followed = { seq: number; type: string; stream: string; ref?: string };

export type Answer<Events extends readonly NewEvent[]> = {
  events: { [Place in keyof Events]: Appended<StateOf<Events[Place]>> };
  /** The first of what followed, and how much it is where that is more. */
  followed: Followed[];
  followed_total?: number;
  /** The tasks that became ready because others ended: at most 20 refs, the best first. */
  freed?: string[];
  freed_total?: number;
};

/** Sends events through the door: all or none. One command makes one append, for its idempotency key remembers one answer. */
export function append<const Events extends readonly NewEvent[]>(
  ctx: Context,
  events: Events,
): Promise<Answer<Events>> {
  return ctx.db.call('append_events', { events, ...(ctx.command && { command: ctx.command }) }, ctx.actor);
}
