import { isDeepStrictEqual } from 'node:util';
import type { Context } from '../context.ts';
import { hintsFor } from '../events/hints.ts';
import { type Control, getControl, type Held } from './runner.ts';

// A hint may be missing, and time passes without one.
const RECHECK_MS = 1_000;
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
  const of = ctx.actor.tenant_id;
  const topics = (['events', 'access'] as const).map((topic) => ({ topic, of }));
  const hints = hintsFor(ctx.db, topics, signal);
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
