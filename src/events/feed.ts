import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { Actor, Database } from '../db/database.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { DomainError } from '../errors.ts';

// All waiting for events happens here. All waiters for a workspace in this process share one poll of its position; then
// each reads from its own cursor and with its own rights, so that an extra or missing hint loses and repeats nothing.

const POLL_MS = Object.freeze({ min: 50, max: 2_000, growth: 1.5 });
// With hints, a poll only finds events of a process that died before its hint.
const POLL_MS_HEARING = 5_000;
const RETRY_MS = Object.freeze({ min: 100, max: 5_000 });

type Reader = { db: Database; actor: Actor };
type Waiter = { actor: Actor; after: number; wake(): void };
type Workspace = { add(waiter: Waiter): void; remove(waiter: Waiter): void };

const queryPosition = sqlFunction('get_position', z.object({ position: z.int() }));

const workspaces = new WeakMap<Database, Map<string, Workspace>>();

/** Returns the latest position of the workspace. */
export async function getPosition(reader: Reader): Promise<number> {
  return (await queryPosition(reader, {})).position;
}

/** Settles when the workspace's position may have passed that one, and when the signal ends the wait. */
function grown({ db, actor }: Reader, after: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const workspace = workspaceOf(db, actor);
  return new Promise((resolve) => {
    const waiter: Waiter = { actor, after, wake: end };
    function end(): void {
      signal.removeEventListener('abort', end);
      workspace.remove(waiter);
      resolve();
    }
    signal.addEventListener('abort', end, { once: true });
    workspace.add(waiter);
  });
}

function workspaceOf(db: Database, actor: Actor): Workspace {
  const known = workspaces.get(db) ?? new Map<string, Workspace>();
  workspaces.set(db, known);
  // Without a workspace the user's own is meant, whose id the database finds out.
  const key = actor.tenant_id ?? `user ${actor.user_id}`;
  const workspace = known.get(key) ?? watch(db, actor.tenant_id, () => known.delete(key));
  known.set(key, workspace);
  return workspace;
}

/** Polls a workspace's position at each hint, otherwise at growing intervals, while anybody waits. */
function watch(db: Database, tenant: string | undefined, unwatched: () => void): Workspace {
  const waiters = new Set<Waiter>();
  let pause: number = POLL_MS.min;
  let timer: NodeJS.Timeout | undefined;
  let looking = false;
  let again = false;
  const listening = db.listen?.((hinted) => {
    if (hinted === null || tenant === undefined || hinted === tenant) void look();
  });

  async function look(): Promise<void> {
    again = true;
    if (looking) return;
    looking = true;
    clearTimeout(timer);
    while (again && waiters.size > 0) {
      again = false;
      await wakeGrown();
    }
    looking = false;
    if (waiters.size === 0) return;
    timer = setTimeout(() => void look(), listening?.hears() ? POLL_MS_HEARING : pause);
    pause = Math.min(pause * POLL_MS.growth, POLL_MS.max);
  }

  async function wakeGrown(): Promise<void> {
    const [first] = waiters;
    if (first === undefined) return;
    try {
      // One poll for all takes nobody's turn.
      const { grant: _, ...actor } = first.actor;
      const position = await getPosition({ db, actor });
      for (const waiter of [...waiters]) if (waiter.after < position) waiter.wake();
    } catch (error) {
      // Another waiter may still poll; this one learns the error from its own read.
      if (!isPassing(error)) first.wake();
    }
  }

  return {
    add(waiter) {
      waiters.add(waiter);
      pause = POLL_MS.min;
      // Events between the waiter's read and now caused no hint.
      void look();
    },
    remove(waiter) {
      if (!waiters.delete(waiter) || waiters.size > 0) return;
      clearTimeout(timer);
      listening?.stop();
      unwatched();
    },
  };
}

type Page = { events: { seq: number }[]; position: number; next_cursor?: string | undefined };

/**
 * Yields the pages after a position as they come, empty ones too, until the signal ends it: each event once, in order.
 * A page's position is where to go on from. After the first page it waits for a database that is away; other failures
 * are thrown.
 */
export async function* follow<Read extends Page>(
  reader: Reader,
  { after, read }: { after: number; read(after: number): Promise<Read> },
  signal: AbortSignal,
): AsyncGenerator<Read> {
  let page = await read(after);
  for (;;) {
    const position = page.next_cursor === undefined ? page.position : (page.events.at(-1)?.seq ?? after);
    after = Math.max(after, position);
    yield { ...page, position };
    if (signal.aborted) return;
    if (page.next_cursor === undefined) await grown(reader, after, signal);
    if (signal.aborted) return;
    const next = await patiently(() => read(after), signal);
    if (next === undefined) return;
    page = next;
  }
}

async function patiently<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  for (let pause: number = RETRY_MS.min; ; pause = Math.min(pause * 2, RETRY_MS.max)) {
    try {
      return await read();
    } catch (error) {
      if (!isPassing(error)) throw error;
      await sleep(pause, undefined, { signal }).catch(() => {});
      if (signal.aborted) return undefined;
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof DomainError && error.retryable;
}
