import * as z from 'zod';
import { Started } from '../services/runner.ts';
import { Ended } from './ended.ts';
import { Left } from './left.ts';
import type { Mark, Reached } from './output-sender.ts';

/** What a later runner must know of a run to go on with it. */
export const Kept = z.object({
  started: Started,
  /** As the clock of the machine says, in ms. */
  startedAt: z.number(),
  waitedMs: z.number(),
  /** It waits, from then on. */
  waitsSince: z.number().optional(),
  /** Why it was told to end. */
  told: Ended.optional(),
  /** How it ended, from when its turn is over. */
  ended: Ended.optional(),
  /** What it left in its place, once that is known. */
  left: Left.optional(),
  usedBefore: z.object({ in: z.number(), out: z.number() }),
  /** What its place needs, where that is the run's own. */
  place: z.unknown().optional(),
});
export type Kept = z.infer<typeof Kept>;

/** Remembers runs beyond the life of their runner. */
export type Keeper = {
  keep(run: string, kept: Kept): void;
  /** What the run had printed before the chunk of this sequence, or before all that is still there of it. */
  reached(run: string, sequence: number): Reached;
  /** Chunks up to this one go to the server. */
  sends(run: string, mark: Mark): void;
  /** The server has so many characters. */
  sent(run: string, characters: number): void;
  /** The server knows its end. */
  forget(run: string): void;
};
