import type { Actor, Topic } from './database.ts';
import { type FunctionName, GROWING } from './functions.ts';

// A process that has written notifies after the commit; one that waits for events listens. NOTIFY within the command,
// or in a trigger, would make all commits wait for one another. Access ends so seldom that `app.end_access` notifies
// itself.

export const CHANNELS: Readonly<Record<Topic, string>> = Object.freeze({
  events: 'cairn',
  access: 'cairn_access',
  output: 'cairn_output',
});

type Notifier = {
  /** Announces that a workspace, or the output of a run, may have grown: at once, then at most once per interval. */
  tell(id: string | undefined): void;
  /** Tells whether `tell` was ever called. */
  hasTold(): boolean;
  /** Sends pending announcements. */
  flush(): Promise<void>;
};

// Who reads what a run prints is woken once a second.
const TELL_MS_MIN = Object.freeze({ events: 25, output: 1_000 });

type Query = (text: string, values: string[]) => Promise<unknown>;

function createNotifier(query: Query, { topic, everyMs }: { topic: Topic; everyMs: number }): Notifier {
  const recent = new Map<string, { timer: NodeJS.Timeout; again: boolean }>();
  const sending = new Set<Promise<unknown>>();
  let told = false;

  function send(id: string): void {
    // A process that does not hear it polls a little later.
    const sent = query('select pg_notify($1, $2)', [CHANNELS[topic], id])
      .catch(() => {})
      .finally(() => sending.delete(sent));
    sending.add(sent);
    const timer = setTimeout(() => settle(id), everyMs);
    timer.unref();
    recent.set(id, { timer, again: false });
  }

  function settle(id: string): void {
    const again = recent.get(id)?.again === true;
    recent.delete(id);
    if (again) send(id);
  }

  return {
    tell(given) {
      told = true;
      const id = given ?? '';
      const window = recent.get(id);
      if (window === undefined) send(id);
      else window.again = true;
    },
    hasTold: () => told,
    async flush() {
      for (const [id, { timer }] of [...recent]) {
        clearTimeout(timer);
        settle(id);
      }
      for (const { timer } of recent.values()) clearTimeout(timer);
      await Promise.all(sending);
    },
  };
}

/** Tells after a call what it may have changed: the log of its workspace, or the output of a run. */
export function createNotifiers(query: Query) {
  const events = createNotifier(query, { topic: 'events', everyMs: TELL_MS_MIN.events });
  const output = createNotifier(query, { topic: 'output', everyMs: TELL_MS_MIN.output });
  return {
    tell(fn: FunctionName, args: Record<string, unknown>, { tenant_id }: Actor): void {
      if (GROWING.has(fn)) events.tell(tenant_id);
      else if (fn === 'add_output') output.tell(String(args['run']));
    },
    /** Tells whether the log may have grown. */
    hasGrown: events.hasTold,
    /** Sends pending announcements. */
    flush: () => Promise.all([events.flush(), output.flush()]),
  };
}
