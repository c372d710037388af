import type { Watcher } from './driver.ts';
import type { OutputSender } from './output-sender.ts';
import type { Reports } from './reports.ts';
import type { RunClock } from './run-clock.ts';
import type { RunParts } from './run-parts.ts';
import type { RunTokens } from './run-tokens.ts';
import type { Subagents } from './subagents.ts';

type Watched = Pick<Watcher, 'signalled' | 'asks'> & {
  run: string;
  /** The way of delivery. */
  path: string;
  clock: RunClock;
  tokens: RunTokens;
  subagents: Subagents;
  output: OutputSender;
  reports: Reports;
  parts: RunParts;
};

/** What a run hears of its turn. */
export function watcherOf({ run, path, clock, tokens, subagents, output, reports, parts, ...more }: Watched): Watcher {
  let isDelivered = false;
  const delivered = () => {
    if (isDelivered) return;
    isDelivered = true;
    void reports.say({ type: 'run.delivered', data: { path } });
    parts.delivered(run);
  };
  return {
    ...more,
    delivered,
    acknowledged: () => {
      delivered();
      void reports.say({ type: 'run.acknowledged' });
    },
    printed: (stream, words) => {
      clock.sign();
      output.add(stream, words);
      parts.printed(run, stream, words);
    },
    used: (used) => {
      clock.sign();
      tokens.use(used);
    },
    works: (names) => {
      clock.sign();
      subagents.set(names);
      parts.changed();
    },
  };
}
