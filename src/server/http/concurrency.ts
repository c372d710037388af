import { createCounts } from '../../counts.ts';
import type { Database } from '../../db/database.ts';
import { DomainError } from '../../errors.ts';

/** How many calls the database works on at once, in total and for one grant, how many may wait, and how long each. */
export type ConcurrencyLimits = {
  callsMax: number;
  grantMax: number;
  waitingMax: Readonly<{ grant: number; user: number; all: number }>;
  waitMs: number;
};

type Caller = { grant: string; user: string };

type Waiting = Caller & { begin: () => void };

/**
 * Limits the calls that the database works on at once. A grant works on at most `grantMax`, and on no more than it
 * leaves to others; a user over all their grants on at most twice as many: however much one requests, the next one
 * finds a connection. Other calls wait in turns between grants. A call whose client goes away stops waiting. Raises
 * rate_limited.
 */
export function limitConcurrency(
  db: Database,
  { callsMax, grantMax, waitingMax, waitMs }: ConcurrencyLimits,
): Database {
  const held = createCounts();
  const queues = createQueues(waitingMax);
  let free = callsMax;

  function fits({ grant, user }: Caller): boolean {
    const most = Math.min(free, grantMax);
    return held.of(grant) < most && held.of(user) < 2 * most;
  }

  function take({ grant, user }: Caller, by: 1 | -1): void {
    free -= by;
    held.add([grant, user], by);
  }

  /** Takes the first call of the grant with the fewest running calls, among those that may have a turn. */
  function next(): Waiting | undefined {
    let least: Waiting | undefined;
    for (const first of queues.firsts()) {
      if (!fits(first)) continue;
      if (least === undefined || held.of(first.grant) < held.of(least.grant)) least = first;
    }
    return least;
  }

  function release(caller: Caller): void {
    take(caller, -1);
    for (let turn = next(); turn !== undefined; turn = next()) {
      queues.leave(turn);
      queues.moveToEnd(turn.grant);
      take(turn, 1);
      turn.begin();
    }
  }

  async function acquire(caller: Caller, gone: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const over = () => {
        clearTimeout(timer);
        gone?.removeEventListener('abort', refuse);
        queues.leave(one);
      };
      const refuse = () => {
        over();
        reject(busy());
      };
      const one: Waiting = {
        ...caller,
        begin() {
          over();
          resolve();
        },
      };
      queues.enter(one);
      const timer = setTimeout(refuse, waitMs);
      gone?.addEventListener('abort', refuse, { once: true });
      if (gone?.aborted === true) refuse();
    });
  }

  return {
    ...db,
    async call(fn, args, { grant, gone, ...actor }) {
      if (grant === undefined) return db.call(fn, args, actor);
      const caller = { grant: `grant ${grant}`, user: `user ${actor.user_id}` };
      if (fits(caller)) take(caller, 1);
      else await acquire(caller, gone?.());
      try {
        return await db.call(fn, args, actor);
      } finally {
        release(caller);
      }
    },
  };
}

/** The waiting calls: a queue for each grant that has some. */
function createQueues(max: ConcurrencyLimits['waitingMax']) {
  const queues = new Map<string, Set<Waiting>>();
  const count = createCounts();
  return {
    /** Raises rate_limited. */
    enter(one: Waiting): void {
      const { grant, user } = one;
      if (count.of(grant) >= max.grant || count.of(user) >= max.user || count.of('all') >= max.all) throw busy();
      queues.set(grant, (queues.get(grant) ?? new Set()).add(one));
      count.add([grant, user, 'all'], 1);
    },

    leave(one: Waiting): void {
      const { grant, user } = one;
      const queue = queues.get(grant);
      if (queue?.delete(one) !== true) return;
      if (queue.size === 0) queues.delete(grant);
      count.add([grant, user, 'all'], -1);
    },

    /** Lets the other grants have their turn first. */
    moveToEnd(grant: string): void {
      const queue = queues.get(grant);
      if (queue === undefined) return;
      queues.delete(grant);
      queues.set(grant, queue);
    },

    *firsts(): Generator<Waiting> {
      for (const [first] of queues.values()) if (first !== undefined) yield first;
    },
  };
}

function busy(): DomainError {
  return new DomainError('rate_limited', 'This connection has too many calls in progress.', {
    hint: 'Wait for the answers to the earlier ones, then repeat the call with the same idempotency_key.',
  });
}
