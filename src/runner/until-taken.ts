import { setTimeout as sleep } from 'node:timers/promises';
import { isRefusal } from './refusals.ts';

const RETRY_MS = { first: 500, most: 10_000 };

type Options = { isOver(): boolean; failed(error: unknown): void };

/**
 * Repeats a call until the server takes it, which may be away for a while; undefined once nobody waits for it. Raises
 * what the server refuses.
 */
export async function untilTaken<Answer>(
  call: () => Promise<Answer>,
  { isOver, failed }: Options,
): Promise<Answer | undefined> {
  for (let waitMs = RETRY_MS.first; !isOver(); waitMs = Math.min(2 * waitMs, RETRY_MS.most)) {
    try {
      return await call();
    } catch (error) {
      failed(error);
      if (isRefusal(error)) throw error;
      await sleep(waitMs);
    }
  }
  return undefined;
}
