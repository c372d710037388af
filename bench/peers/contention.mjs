// Eight processes on one store: what was acknowledged, and what of it is there afterwards.
const PROCESSES = 8;
const TASKS = 200;
const PHASE_MS_MAX = 30_000;

/** Each process makes its share of the tasks. @returns acknowledged, and how many of those are lost or share an id */
export async function measureCreates(store) {
  const { acknowledged, errors } = await together(store, async (client, place, record) => {
    for (let at = 0; at < TASKS / PROCESSES; at += 1) {
      const title = `${place.agent} made ${at}`;
      const call = store.server.create(title, `By ${place.agent}.`, place);
      await record(async () => store.server.created(await client.call(call)));
    }
  });
  const stored = await readStored(store);
  if (stored.corrupt) return { acknowledged: acknowledged.length, errors, corrupt: stored.corrupt };
  const ids = new Set(stored.tasks.map(({ id }) => id));
  const duplicates = acknowledged.length - new Set(acknowledged).size;
  const lost = new Set(acknowledged.filter((id) => !ids.has(id))).size + duplicates;
  return { acknowledged: acknowledged.length, errors, lost };
}

/** Each process changes tasks that no other one changes. */
export async function measureUpdates(store) {
  const { server, ids } = store;
  const note = (id) => `A word on ${id}.`;
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
  if (stored.corrupt) return { acknowledged: acknowledged.length, errors, corrupt: stored.corrupt };
  const byId = new Map(stored.tasks.map((task) => [task.id, task]));
  const isThere = server.isUpdated ?? (({ text }, wanted) => text.includes(wanted));
  const lost = acknowledged.filter((id) => !byId.has(id) || !isThere(byId.get(id), note(id))).length;
  return { acknowledged: acknowledged.length, errors, lost };
}

/** Each process takes free tasks until there is none. */
export async function measureClaims(store) {
  const { acknowledged, errors, ms } = await together(store, async (client, place, record) => {
    for (let at = 0; at < TASKS; at += 1) {
      const id = await record(() => store.server.claim(client, place));
      if (id === undefined) return;
    }
  });
  const times = new Map();
  for (const id of acknowledged) times.set(id, (times.get(id) ?? 0) + 1);
  const twice = [...times.values()].filter((count) => count > 1).length;
  return { acknowledged: acknowledged.length, claimed: times.size, twice, errors, ms };
}

/** Runs the work in all processes at once; each stops at the end of the phase. */
async function together({ open, placeOf }, work) {
  const names = Array.from({ length: PROCESSES }, (_, at) => `agent${at}`);
  // One after the other: eight that start at once need longer than a client waits, on a small machine.
  const clients = [];
  for (const name of names) clients.push(await open(name));
  const acknowledged = [];
  let errors = 0;
  const end = performance.now() + PHASE_MS_MAX;
  const from = performance.now();
  const record = async (act) => {
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
  await Promise.all(
    clients.map((client, number) => work(client, { ...placeOf(names[number]), number }, record).catch(() => {})),
  );
  const ms = performance.now() - from;
  await Promise.all(clients.map((client) => client.stop()));
  return { acknowledged, errors, ms };
}

async function readStored({ server, place, open }) {
  try {
    return { tasks: await server.stored({ ...place, open }) };
  } catch (error) {
    return { corrupt: error.message };
  }
}
