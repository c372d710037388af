import { isFailure, isRefusal } from './refusals.ts';

const RETRY_MS = { first: 500, most: 10_000 };

type Options = {
  isOver(): boolean;
  failed(error: unknown): void;
  /** Where the server fails at the call so many times, it is as refused; for ever where it says none. */
  failuresMax?: number;
};

/**
 * Repeats a call until the server takes it, which may be away for a while; undefined once nobody waits for it. Raises
 * what the server refuses.
 */
export async function untilTaken<Answer>(
  call: () => Promise<Answer>,
  { isOver, failed, failuresMax = Number.POSITIVE_INFINITY }: Options,
): Promise<Answer | undefined> {
  let failures = 0;
  for (let waitMs = RETRY_MS.first; !isOver(); waitMs = Math.min(2 * waitMs, RETRY_MS.most)) {
    try {
      return await call();
    } catch (error) {
      failed(error);
      if (isFailure(error)) failures++;
      if (isRefusal(error) || failures >= failuresMax) throw error;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
  return undefined;
}
