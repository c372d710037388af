import { join } from 'node:path';
import { readConfig } from '../../src/config.ts';
import { openLocal } from '../../src/local.ts';
import { createLog } from '../../src/log.ts';
import { openPersonWorld, type PersonWorld } from './person-world.ts';
import { type Runner, runnerOf } from './runners.ts';

/** A person, and runners on the same database whose agents take their commands. */
export type AgentWorld = PersonWorld & {
  runner(name: string, driven?: Parameters<typeof runnerOf>[2]): Promise<Runner>;
  /** Makes the names of the runners free, and lets all go on. */
  clear(): Promise<void>;
};

export async function openAgentWorld(): Promise<AgentWorld> {
  const world = await openPersonWorld();
  const log = createLog('silent');
  const { db, blobs, actor, close } = await openLocal(readConfig({ dataDir: join(world.home, 'data') }, {}), log);
  const names: string[] = [];
  return {
    ...world,
    async runner(name, driven) {
      const started = await runnerOf({ db, blobs, log, scopes: 'all', actor }, name, driven);
      names.push(name);
      return started;
    },
    async clear() {
      for (const name of names.splice(0)) await world.run(['agents', 'retire', name]);
      await world.run(['go-on']);
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
