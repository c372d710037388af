import type { Database } from '../../db/database.ts';
import { DomainError } from '../../errors.ts';

/** How many calls the database works on at once, how many of one grant may wait for their turn, and how long each. */
export type ShareLimits = { callsMax: number; waitingMax: number; waitMs: number };

type Caller = { grant: string; user: string };

type Waiting = Caller & { begin: () => void };

/**
 * The same database, whose connections are shared among the grants that call. A grant holds at most as many as it leaves to others, and
 * a user over all of their grants at most twice as many: however much one asks for, the next finds some free. The rest waits for its
 * turn. Raises rate_limited.
 */
export function withShares(db: Database, { callsMax, waitingMax, waitMs }: ShareLimits): Database {
  const held = new Map<string, number>();
  let waiting: Waiting[] = [];
  let free = callsMax;

  const holds = (key: string) => held.get(key) ?? 0;

  function fits({ grant, user }: Caller): boolean {
    return holds(grant) < free && holds(user) < 2 * free;
  }

  function take({ grant, user }: Caller, count: 1 | -1): void {
    free -= count;
    for (const key of [grant, user]) {
      const left = holds(key) + count;
      if (left === 0) held.delete(key);
      else held.set(key, left);
    }
  }

  /** Of those whose turn it may be, who holds least comes first, and then who waits longest. */
  function next(): Waiting | undefined {
    const able = waiting.filter(fits);
    return able.sort((a, b) => holds(a.grant) - holds(b.grant))[0];
  }

  function release(caller: Caller): void {
    take(caller, -1);
    for (let turn = next(); turn !== undefined; turn = next()) {
      leave(turn);
      take(turn, 1);
      turn.begin();
    }
  }

  function leave(one: Waiting): void {
    waiting = waiting.filter((other) => other !== one);
  }

  async function acquire(caller: Caller): Promise<void> {
    if (fits(caller)) return take(caller, 1);
    if (waiting.filter(({ grant }) => grant === caller.grant).length >= waitingMax) throw busy();
    await new Promise<void>((resolve, reject) => {
      const one: Waiting = {
        ...caller,
        begin() {
          clearTimeout(timer);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        leave(one);
        reject(busy());
      }, waitMs);
      waiting.push(one);
    });
  }

  return {
    ...db,
    async call(fn, args, { grant, ...actor }) {
      if (grant === undefined) return db.call(fn, args, actor);
      const caller = { grant: `grant ${grant}`, user: `user ${actor.user_id}` };
      await acquire(caller);
      try {
        return await db.call(fn, args, actor);
      } finally {
        release(caller);
      }
    },
  };
}

function busy(): DomainError {
  return new DomainError('rate_limited', 'Too many calls of this connection are under way.', {
    hint: 'Wait for the answers to the earlier ones, then repeat the call with the same idempotency_key.',
  });
}
