import { setTimeout as sleep } from 'node:timers/promises';

// Where a provider does not say when it allows more.
const LIMITED_SECONDS = 900;
const LIMITED_SECONDS_MAX = 2_592_000;
const LOOK_MS = 5_000;

/** The ISO time of a moment that an agent names, in ms since 1970; undefined for one that no clock shows. */
export function isoTimeOf(unixMs: number): string | undefined {
  const time = new Date(unixMs);
  return unixMs > 0 && !Number.isNaN(time.getTime()) ? time.toISOString() : undefined;
}

/** In how many seconds a provider allows more, given the time that it named. */
export function secondsUntil(until: string | undefined): number {
  const given = until === undefined ? Number.NaN : Math.ceil((Date.parse(until) - Date.now()) / 1_000);
  return Number.isNaN(given) ? LIMITED_SECONDS : Math.min(Math.max(given, 1), LIMITED_SECONDS_MAX);
}

/** Waits by the clock on the wall: a machine may sleep meanwhile, and a timer holds a month at most. */
export async function waitUntil(end: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && Date.now() < end) {
    await sleep(Math.min(end - Date.now(), LOOK_MS), undefined, { signal }).catch(() => {});
  }
}
