import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopDatabase } from '../processes.ts';
import { type Client, connect } from './client.ts';
import type { Place, Server } from './servers/server.ts';

/** The environment of a server, with the ids of its open tasks; each agent opens its own process. */
export type Store = {
  server: Server;
  place: Place;
  placeOf(agent: string): Place;
  ids: string[];
  open(agent?: string): Promise<Client>;
};

type Wanted = { server: Server; folder: string; runtime: string | undefined; count: number };

/** A store of a server with so many open tasks, in a directory of its own that is gone afterwards. */
export async function withStore<Result>(
  { server, folder, runtime, count }: Wanted,
  run: (store: Store) => Promise<Result>,
): Promise<Result> {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-peers-'));
  const placeOf = (agent: string): Place => ({ dir, folder, runtime, agent });
  const open = (agent = 'ada') => connect(server.command(placeOf(agent)));
  try {
    const ids = await server.prepare({ ...placeOf('ada'), count, open });
    return await run({ server, place: placeOf('ada'), placeOf, ids, open });
  } finally {
    if (server.package === undefined) stopDatabase(dir);
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
