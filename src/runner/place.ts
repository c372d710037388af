import type { Driver } from './driver.ts';

/** What a run left in a worktree of its own. */
export type Left = {
  repository: string;
  path: string;
  branch: string;
  base: string;
  head?: string;
  /** Files that differ from the base, committed or not; as many of their names as fit. */
  file_count?: number;
  files?: string[];
  /** The worktree is still there. */
  kept: boolean;
  error?: string;
};

/** Where a run works, and the driver that works there. */
export type Place = {
  driver: Driver;
  /** What a later runner needs to enter it again. */
  kept?: unknown;
  /** After the run; undefined where the place is not the run's own. Does not raise. */
  leave(): Promise<Left | undefined>;
};

/** Makes the place of a run before anything is delivered, or enters a kept one again; raises where that fails. */
export type OpenPlace = (run: { id: string; attempt?: number | undefined }, kept?: unknown) => Promise<Place>;
