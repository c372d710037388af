import type { Started } from './active-run.ts';
import type { Question } from './driver.ts';
import type { Ended } from './ended.ts';
import type { Left } from './left.ts';

/** What a runner tells the person who started it. */
export type Notice =
  | { what: 'registered' | 'away' | 'back' }
  | { what: 'stopped' | 'refused'; why: string }
  | { what: 'started' | 'resumed'; started: Started }
  | { what: 'given' | 'delivered'; run: string }
  | { what: 'asked'; run: string; question: Question }
  | { what: 'limited'; run: string; until: Date; reason: string }
  | { what: 'left'; run: string; left: Left }
  | { what: 'unrecorded'; run: string; of: string; why: string }
  | { what: 'ended'; run: string; ended: Ended };
