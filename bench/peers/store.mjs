import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopDatabase } from '../processes.mjs';
import { connect } from './client.mjs';

/** A store of a server with so many open tasks, in a directory of its own that is gone afterwards. */
export async function withStore({ server, folder, runtime, count }, run) {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-peers-'));
  const placeOf = (agent) => ({ dir, folder, runtime, agent });
  const open = (agent = 'ada') => connect(server.command(placeOf(agent)));
  try {
    const ids = await server.prepare({ ...placeOf('ada'), count, open });
    return await run({ server, place: placeOf('ada'), placeOf, ids, open });
  } finally {
    if (server.package === undefined) stopDatabase(dir);
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
