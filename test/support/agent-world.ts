import { join } from 'node:path';
import { readConfig } from '../../src/config.ts';
import type { Context } from '../../src/context.ts';
import { openLocal } from '../../src/local.ts';
import { createLog } from '../../src/log.ts';
import { changeAgent, listAgents, stopAgents } from '../../src/services/agents.ts';
import { openPersonWorld, type PersonWorld } from './person-world.ts';
import { type Runner, runnerOf } from './runners.ts';

/** A person, and runners on the same database whose agents take their commands. */
export type AgentWorld = PersonWorld & {
  runner(name: string, driven?: Parameters<typeof runnerOf>[2]): Promise<Runner>;
  /** Retires all agents, which makes their names free, and lets all go on; as the commands do, in no time. */
  clear(): Promise<void>;
};

export async function openAgentWorld(): Promise<AgentWorld> {
  const world = await openPersonWorld();
  const log = createLog('silent');
  const { db, blobs, actor, close } = await openLocal(readConfig({ dataDir: join(world.home, 'data') }, {}), log);
  const ctx: Context = { db, blobs, log, scopes: 'all', actor };
  return {
    ...world,
    runner: (name, driven) => runnerOf(ctx, name, driven),
    async clear() {
      const { agents } = await listAgents(ctx, { page_size: 100 });
      for (const { id } of agents) await changeAgent(ctx, { agent: id, change: 'retire' });
      await stopAgents(ctx, { reach: 'workspace', stopped: false });
    },
    async close() {
      await close();
      await world.close();
    },
  };
}

/** The end of an id, as lists show it. */
export const end = (id: string) => id.slice(-8);

/** The cells of a table. */
export const cells = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
