import type { Context } from '../../src/context.ts';
import { type Exported, exportAll } from './commands.ts';
import type { Engine } from './engine.ts';
import { fillWorkspace } from './fill-workspace.ts';
import { contextOf } from './world.ts';

const filled = new WeakMap<Engine, Promise<Context>>();
const histories = new WeakMap<Engine, Promise<Exported[]>>();

/** A workspace that was filled once, for the tests that look at one and change nothing in it. */
export function filledWorkspace(engine: Engine): Promise<Context> {
  return once(filled, engine, async () => {
    const who = contextOf(await engine.signIn('filler'))('ada');
    await fillWorkspace(who);
    return who;
  });
}

/** What such a workspace exports, for each test to change as it likes. */
export async function filledHistory(engine: Engine): Promise<Exported[]> {
  return structuredClone(await once(histories, engine, async () => exportAll(await filledWorkspace(engine))));
}

function once<Made>(made: WeakMap<Engine, Promise<Made>>, engine: Engine, make: () => Promise<Made>): Promise<Made> {
  const found = made.get(engine) ?? make();
  made.set(engine, found);
  return found;
}
