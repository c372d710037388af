// Eight processes on one store: what was acknowledged, and what of it is there afterwards.
import type { Client } from './client.ts';
import type { Place, Stored } from './servers/server.ts';
import type { Store } from './store.ts';

/** Calls that were acknowledged, and those that failed; how many of the former are lost, or why nothing can be read. */
export type Written = { acknowledged: number; errors: number; lost?: number; corrupt?: string };
/** `twice` are the tasks that more than one process was given. */
export type Claimed = { acknowledged: number; claimed: number; twice: number; errors: number; ms: number };

/**
 * Runs a call until the end of the phase: resolves to an id, to null where it failed, to undefined where nothing is
 * left.
 */
type Recorder = (act: () => Promise<string | undefined>) => Promise<string | null | undefined>;
type Numbered = Place & { number: number };
type Work = (client: Client, place: Numbered, record: Recorder) => Promise<void>;
type Outcome = { acknowledged: string[]; errors: number; ms: number };

const PROCESSES = 8;
const TASKS = 200;
const PHASE_MS_MAX = 30_000;

/** Each process makes its share of the tasks; those that share an id are lost too. */
export async function measureCreates(store: Store): Promise<Written> {
  const { acknowledged, errors } = await together(store, async (client, place, record) => {
    for (let at = 0; at < TASKS / PROCESSES; at += 1) {
      const title = `${place.agent} made ${at}`;
      const call = store.server.create(title, `By ${place.agent}.`, place);
      await record(async () => store.server.created(await client.call(call)));
    }
  });
  const stored = await readStored(store);
  if ('corrupt' in stored) return { acknowledged: acknowledged.length, errors, ...stored };
  const ids = new Set(stored.tasks.map(({ id }) => id));
  const duplicates = acknowledged.length - new Set(acknowledged).size;
  const lost = new Set(acknowledged.filter((id) => !ids.has(id))).size + duplicates;
  return { acknowledged: acknowledged.length, errors, lost };
}

/** Each process changes tasks that no other one changes. */
export async function measureUpdates(store: Store): Promise<Written> {
  const { server, ids } = store;
  const note = (id: string) => `A word on ${id}.`;
  const { acknowledged, errors } = await together(store, async (client, place, record) => {
    const mine = ids.filter((_, at) => at % PROCESSES === place.number);
    for (const id of mine) {
      await record(async () => {
        await client.call(server.update(id, note(id), place));
        return id;
      });
    }
  });
  const stored = await readStored(store);
  if ('corrupt' in stored) return { acknowledged: acknowledged.length, errors, ...stored };
  const byId = new Map(stored.tasks.map((task) => [task.id, task]));
  const isThere = server.isUpdated ?? (({ text }, wanted) => text.includes(wanted));
  const lost = acknowledged.filter((id) => {
    const task = byId.get(id);
    return task === undefined || !isThere(task, note(id));
  }).length;
  return { acknowledged: acknowledged.length, errors, lost };
}

/** Each process takes free tasks until there is none. */
export async function measureClaims(store: Store): Promise<Claimed> {
  const { acknowledged, errors, ms } = await together(store, async (client, place, record) => {
    for (let at = 0; at < TASKS; at += 1) {
      const id = await record(() => store.server.claim(client, place));
      if (id === undefined) return;
    }
  });
  const times = new Map<string, number>();
  for (const id of acknowledged) times.set(id, (times.get(id) ?? 0) + 1);
  const twice = [...times.values()].filter((count) => count > 1).length;
  return { acknowledged: acknowledged.length, claimed: times.size, twice, errors, ms };
}

/** Runs the work in all processes at once; each stops at the end of the phase. */
async function together({ open, placeOf }: Store, work: Work): Promise<Outcome> {
  const names = Array.from({ length: PROCESSES }, (_, at) => `agent${at}`);
  // Started one after the other: on a small machine, eight at once take longer than a client waits.
  const agents: { client: Client; place: Numbered }[] = [];
  for (const [number, name] of names.entries()) {
    agents.push({ client: await open(name), place: { ...placeOf(name), number } });
  }
  const acknowledged: string[] = [];
  let errors = 0;
  const end = performance.now() + PHASE_MS_MAX;
  const from = performance.now();
  const record: Recorder = async (act) => {
    if (performance.now() > end) return undefined;
    try {
      const id = await act();
      if (id !== undefined) acknowledged.push(id);
      return id;
    } catch {
      errors += 1;
      return null;
    }
  };
  await Promise.all(agents.map(({ client, place }) => work(client, place, record).catch(() => {})));
  const ms = performance.now() - from;
  await Promise.all(agents.map(({ client }) => client.stop()));
  return { acknowledged, errors, ms };
}

async function readStored({ server, place, open }: Store): Promise<{ tasks: Stored[] } | { corrupt: string }> {
  try {
    return { tasks: await server.stored({ ...place, open }) };
  } catch (error) {
    return { corrupt: error instanceof Error ? error.message : String(error) };
  }
}
