import { inject } from 'vitest';
import { postgresDatabase } from '../../src/db/postgres.ts';
import type { Caller } from './commands.ts';

export const WRITERS = 8;

/** Connections of their own, so that what they do overlaps in the server. */
export async function withWriters<T>(caller: Caller, work: (writers: Caller[]) => Promise<T>): Promise<T> {
  const writers = Array.from({ length: WRITERS }, (_, at) => ({
    db: postgresDatabase({ connection: inject('server'), connectionsMax: 1 }),
    actor: { ...caller.actor, agent: `writer-${at}` },
  }));
  try {
    return await work(writers);
  } finally {
    await Promise.all(writers.map(({ db }) => db.close()));
  }
}

export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at + 1);
}
