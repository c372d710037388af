import type { Ended } from './ended.ts';
import { memoryMbOf } from './health.ts';
import { exceeded, type Limits } from './limits.ts';
import { ProcessorMeter } from './processor.ts';
import type { RunClock } from './run-clock.ts';
import type { RunTokens } from './run-tokens.ts';

type Watched = {
  clock: RunClock;
  tokens: RunTokens;
  /** Over how long the use of the processor counts. */
  processorMs: number;
};

/** What a run may use, looked at again and again. */
export class RunLimits {
  readonly #limits: Limits;
  readonly #watched: Watched;
  readonly #processor: ProcessorMeter;

  constructor(limits: Limits, watched: Watched) {
    this.#limits = limits;
    this.#watched = watched;
    this.#processor = new ProcessorMeter({ overMs: watched.processorMs });
  }

  /** The end of a run that exceeds one with these processes. */
  endWith(pids: readonly number[]): Ended | undefined {
    const { clock, tokens } = this.#watched;
    const { runningMs, silentMs } = clock;
    const over = exceeded(this.#limits, {
      ...{ runningMs, silentMs },
      tokens: tokens.sum,
      memoryMb: memoryMbOf(pids),
      processorPercent: this.#limits.cpu_limit_percent === undefined ? undefined : this.#processor.percentOf(pids),
    });
    return over && { status: over.end_reason === 'time_limit' ? 'timed_out' : 'failed', ...over };
  }

  /** Seconds of a silence that has lasted for half of what is allowed, once for each. */
  newlySilent(): number | undefined {
    const { silence_limit_ms } = this.#limits;
    return silence_limit_ms && this.#watched.clock.newlySilent(silence_limit_ms / 2);
  }
}
