import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Context } from '../context.ts';
import { type Control, getControl, type Held } from './runner.ts';

// A hint may be missing, and time passes without one.
const RECHECK_MS = 1_000;
// In a busy workspace a hint comes with every command of others.
const PAUSE_MS_MIN = 50;
export const CONTROL_MS_MAX = 25_000;

type Caller = Pick<Context, 'db' | 'actor'>;
type Asked = { agent: string; held: Held[]; seen?: Control | undefined };

/**
 * Answers what a runner must know, as soon as it differs from what it has `seen`, or a claim would do something; else
 * after a while, or when the signal ends it. Raises not_found, and unauthenticated once its token has ended.
 */
export async function waitForControl(
  ctx: Caller,
  { agent, held, seen = { runs: [], queued: false } }: Asked,
  signal: AbortSignal,
): Promise<Control> {
  const until = performance.now() + CONTROL_MS_MAX;
  const hints = hintsFor(ctx, signal);
  try {
    for (;;) {
      const control = await getControl(ctx, { agent, held });
      const left = until - performance.now();
      if (isNews(control, seen) || left <= 0 || signal.aborted) return control;
      await hints.next(Math.min(left, RECHECK_MS));
      if (signal.aborted) return control;
    }
  } finally {
    hints.stop();
  }
}

function isNews({ queued, stopped, runs }: Control, seen: Control): boolean {
  const isSeen = ({ run, state, answers }: Control['runs'][number]) =>
    (state === 'mine' && answers === undefined) ||
    seen.runs.some((known) => known.run === run && known.state === state && isDeepStrictEqual(known.answers, answers));
  return queued || stopped !== seen.stopped || !runs.every(isSeen);
}

/** Tells of hints that something in the caller's workspace, or somebody's access, has changed. */
function hintsFor({ db, actor: { tenant_id } }: Caller, signal: AbortSignal) {
  let hinted = false;
  let wake = () => {};
  const hear = (tenant: string | null) => {
    if (tenant !== null && tenant_id !== undefined && tenant !== tenant_id) return;
    hinted = true;
    wake();
  };
  const listening = (['events', 'access'] as const).map((topic) => db.listen?.(hear, topic));
  signal.addEventListener('abort', () => wake(), { once: true });
  return {
    /** Settles at a hint since the last one, and after so many milliseconds. */
    async next(ms: number): Promise<void> {
      await sleep(PAUSE_MS_MIN, undefined, { signal }).catch(() => {});
      if (!hinted && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      hinted = false;
      wake = () => {};
    },
    stop: () => {
      for (const one of listening) one?.stop();
    },
  };
}
