import type { Topic } from './database.ts';

// A process that has written notifies after the commit; one that waits for events listens. NOTIFY within the command,
// or in a trigger, would make all commits wait for one another. Access ends so seldom that `app.end_access` notifies
// itself.

export const CHANNELS: Readonly<Record<Topic, string>> = Object.freeze({ events: 'cairn', access: 'cairn_access' });
const NOTIFY_MS_MIN = 25;

export type Notifier = {
  /** Announces that a workspace may have grown: at once, then at most once per interval. */
  tell(tenant_id: string | undefined): void;
  /** Tells whether `tell` was ever called. */
  hasTold(): boolean;
  /** Sends pending announcements. */
  flush(): Promise<void>;
};

type Query = (text: string, values: string[]) => Promise<unknown>;

export function createNotifier(query: Query): Notifier {
  const recent = new Map<string, { timer: NodeJS.Timeout; again: boolean }>();
  const sending = new Set<Promise<unknown>>();
  let told = false;

  function send(tenant: string): void {
    // A process that does not hear it polls a little later.
    const sent = query('select pg_notify($1, $2)', [CHANNELS.events, tenant])
      .catch(() => {})
      .finally(() => sending.delete(sent));
    sending.add(sent);
    const timer = setTimeout(() => settle(tenant), NOTIFY_MS_MIN);
    timer.unref();
    recent.set(tenant, { timer, again: false });
  }

  function settle(tenant: string): void {
    const again = recent.get(tenant)?.again === true;
    recent.delete(tenant);
    if (again) send(tenant);
  }

  return {
    tell(tenant_id) {
      told = true;
      const tenant = tenant_id ?? '';
      const window = recent.get(tenant);
      if (window === undefined) send(tenant);
      else window.again = true;
    },
    hasTold: () => told,
    async flush() {
      for (const [tenant, { timer }] of [...recent]) {
        clearTimeout(timer);
        settle(tenant);
      }
      for (const { timer } of recent.values()) clearTimeout(timer);
      await Promise.all(sending);
    },
  };
}
