import { firstOf } from '../text.ts';
import type { Ended } from './ended.ts';
import type { Report } from './port.ts';

/** The report of a run's end, cut to what is kept of it. */
export function finished(ended: Ended, metrics: Record<string, unknown>): Report {
  const { error, result } = ended;
  return {
    type: 'run.finished',
    data: {
      ...ended,
      ...(error !== undefined && { error: firstOf(error, 2_000) }),
      ...(result !== undefined && { result: firstOf(result, 20_000) }),
      metrics,
    },
  };
}

/** The same without anything that an agent has put into it, which may be why it is refused. */
export function bareEnd({ status, end_reason }: Ended, metrics: { not_recorded: number }): Report {
  return { type: 'run.finished', data: { status, end_reason, metrics } };
}

/** The end of a run whose agent is gone. */
export const LOST: Ended = Object.freeze({
  status: 'failed',
  end_reason: 'lost',
  error: 'Its runner ended before it did.',
});
