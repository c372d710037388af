import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../context.ts';
import { DomainError } from '../errors.ts';
import type { EventBrief } from '../services/events.ts';
import { onStopSignal } from '../stop-signals.ts';
import { events as eventTools } from '../tools/events.ts';
import { perform } from './local-context.ts';

const RETRY_MS = 1_000;

/** Runs until the person leaves, or nobody reads on. */
export async function untilLeft<T>(run: (leaving: AbortController) => Promise<T>): Promise<T> {
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  const listenNoLonger = onStopSignal(leave);
  process.stdout.once('error', leave);
  try {
    return await run(leaving);
  } finally {
    listenNoLonger();
    process.stdout.off('error', leave);
  }
}

type Wanted = { from: number; project?: string; types?: string[]; seconds: number };
type Watcher = { take(events: EventBrief[]): Promise<void>; missed(error: DomainError): void };

/**
 * Hands over events in order, each once, until the call's signal; none after so many seconds without any, for what
 * changes by time alone. Waits for a database that went away.
 */
export async function eachPage(
  ctx: Context,
  { from, seconds, ...wanted }: Wanted,
  { take, missed }: Watcher,
): Promise<void> {
  const signal = ctx.signal?.();
  for (let position = from; !signal?.aborted; ) {
    try {
      const found = await perform(ctx, eventTools.commands.wait_for_events, {
        ...wanted,
        after_seq: position,
        timeout_seconds: seconds,
      });
      if (found.events.length > 0 || !signal?.aborted) await take(found.events);
      position = found.position;
    } catch (error) {
      if (!(error instanceof DomainError && error.retryable)) throw error;
      missed(error);
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    }
  }
}

/** The position from which to wait for what happens next. */
export async function readPosition(ctx: Context): Promise<number> {
  return (await perform(ctx, eventTools.commands.list_events, { page_size: 1 })).position;
}
