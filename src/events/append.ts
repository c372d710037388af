import * as z from 'zod';
import type { Context } from '../context.ts';
import { parseAnswer, sqlFunction } from '../db/sql-function.ts';

export type Expectation = {
  version?: number | undefined;
  lock_token?: number | undefined;
  /** The lock of whoever acts, whatever its token. */
  own_lock?: true;
};

/** Something that happened, for SQL to judge. `state` is the form of the row that it makes. */
export type NewEvent<State = unknown> = {
  stream: string;
  type: string;
  data: Record<string, unknown>;
  expect?: Expectation | undefined;
  readonly state: z.ZodType<State>;
};

const Appended = z.object({
  stream: z.string(),
  type: z.string(),
  /** Absent, like `id` and `version`, when the event repeats an earlier one that succeeded. */
  seq: z.int().optional(),
  id: z.string().optional(),
  version: z.int().optional(),
  repeated: z.literal(true).optional(),
  /** The read-model row after the event, so that no second read is needed. */
  state: z.unknown(),
});

const Answer = z.object({
  events: z.array(Appended),
  /** The first of the events that rules and dependency policy added in the same transaction, and their number if more. */
  followed: z.array(z.object({ seq: z.int(), type: z.string(), stream: z.string(), ref: z.string().optional() })),
  followed_total: z.int().optional(),
  /** The tasks that became ready because others ended: at most 20 refs, the best first. */
  freed: z.array(z.string()).optional(),
  freed_total: z.int().optional(),
});

type StateOf<Event> = Event extends NewEvent<infer State> ? State : never;

type Answer<Events extends readonly NewEvent[]> = Omit<z.infer<typeof Answer>, 'events'> & {
  events: { [Place in keyof Events]: z.infer<typeof Appended> & { state: StateOf<Events[Place]> } };
};

const appendEvents = sqlFunction('append_events', Answer);

/** Appends events: all or none. One command makes one append, because its idempotency key remembers one answer. */
export async function append<const Events extends readonly NewEvent[]>(
  { command, keepsNoTokens, ...caller }: Context,
  events: Events,
): Promise<Answer<Events>> {
  const asked = events.map(({ state: _, expect, ...event }) => ({
    ...event,
    expect: keepsNoTokens && expect?.lock_token === undefined ? { ...expect, own_lock: true } : expect,
  }));
  const answer = await appendEvents(caller, { events: asked, ...(command && { command }) });
  const appended = events.map(({ state }, at) => {
    const found = answer.events[at];
    return { ...found, state: parseAnswer(state, found?.state) };
  });
  // One for each event, in their order.
  return { ...answer, events: appended as Answer<Events>['events'] };
}
