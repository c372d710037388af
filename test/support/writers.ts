import type { Caller } from './commands.ts';
import type { Engine } from './engine.ts';

export const WRITERS = 8;

/** Runs the work with agents that each have a connection of their own, so that what they do overlaps in the server. */
export type WithWriters = <T>(caller: Caller, work: (writers: Caller[]) => Promise<T>) => Promise<T>;

export function writersOn(engine: Engine): WithWriters {
  return async (caller, work) => {
    const connected = await Promise.all(upTo(WRITERS).map(() => engine.connect(caller)));
    try {
      return await work(connected.map(({ db, actor }, at) => ({ db, actor: { ...actor, agent: `writer-${at}` } })));
    } finally {
      await Promise.all(connected.map(({ db }) => db.close()));
    }
  };
}

export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at + 1);
}
