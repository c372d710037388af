import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from '../context.ts';
import { DomainError } from '../errors.ts';
import type { EventBrief } from '../services/events.ts';
import { onStopSignal } from '../stop-signals.ts';
import { events as eventTools } from '../tools/events.ts';
import { perform } from './local-context.ts';
import { type JsonOption, printLine } from './terminal/output.ts';

const RETRY_MS = 1_000;
// A change by time alone, as an expiry, is seen this late.
const REFRESH_SECONDS = 10;

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

/** Prints that the database went away, and that the command waits for it. */
export function printRetry({ message }: Error): void {
  process.stderr.write(`cairn: ${message} Trying again.\n`);
}

type Listed<Item> = {
  types: string[];
  /** What the person has seen. */
  printed: readonly Item[];
  /** Reads the list, oldest first. */
  read(): Promise<readonly Item[]>;
  /** Names the state of an item: with another one it is printed again. */
  stateOf(item: Item): string | undefined;
  lineOf(item: Item): string;
};

/** Prints each item of a list that comes or changes, until the person leaves. */
export function followList<Item extends { id: string }>(
  ctx: Context,
  { types, printed, read, stateOf, lineOf }: Listed<Item>,
  { json }: JsonOption,
): Promise<void> {
  const known = new Map(printed.map((item) => [item.id, stateOf(item)]));
  const take = async () => {
    for (const item of await read()) {
      const state = stateOf(item);
      if (known.has(item.id) && known.get(item.id) === state) continue;
      known.set(item.id, state);
      printLine(json ? JSON.stringify(item) : lineOf(item));
    }
  };
  return untilLeft(async ({ signal }) => {
    const from = await readPosition(ctx);
    await eachPage(
      { ...ctx, signal: () => signal },
      { from, project: '*', types, seconds: REFRESH_SECONDS },
      { take, missed: printRetry },
    );
  });
}
