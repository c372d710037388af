import type { Driver } from './driver.ts';
import type { Kept } from './keeper.ts';
import type { Left } from './left.ts';

/** Where a run works, and the driver that works there. */
export type Place = {
  driver: Driver;
  /** What a later runner needs to enter it again. */
  kept?: unknown;
  /** After the run; undefined where the place is not the run's own. Does not raise. */
  leave(): Promise<Left | undefined>;
};

type Run = { id: string; attempt?: number | undefined };

/** Makes the place of a run before anything is delivered, or enters a kept one again; raises where that fails. */
export type OpenPlace = (run: Run, kept?: unknown) => Promise<Place>;
type Entering = { run: Run; enter: OpenPlace; driver: Driver };

/**
 * The place of a run, which a later runner enters again. One whose turn was over may have left it by then, and what is
 * left to be told of it needs none.
 */
export async function placeOf(kept: Kept | undefined, { run, enter, driver }: Entering): Promise<Place> {
  const { ended, left } = kept ?? {};
  const nowhere: Place = { driver, leave: async () => left };
  if (left !== undefined) return nowhere;
  const place = enter(run, kept?.place);
  return ended === undefined ? place : place.catch(() => nowhere);
}
