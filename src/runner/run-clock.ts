/** Moments as the clock of the machine says, in ms, which goes on beyond one runner. */
type Times = { startedAt: number; waitedMs: number; waitsSince?: number | undefined };

/** How long a run works, without the time in which it waits for a person or its provider. */
export class RunClock {
  readonly #startedAt: number;
  #waitedMs: number;
  #waitsSince: number | undefined;
  #signAt = performance.now();
  #isTold = false;

  constructor({ startedAt, waitedMs, waitsSince }: Times) {
    this.#startedAt = fromWall(startedAt);
    this.#waitedMs = waitedMs;
    this.#waitsSince = waitsSince === undefined ? undefined : fromWall(waitsSince);
  }

  /** For the clock of a later runner. */
  get kept(): Times {
    const since = this.#waitsSince;
    return {
      ...{ startedAt: toWall(this.#startedAt), waitedMs: this.#waitedMs },
      ...(since !== undefined && { waitsSince: toWall(since) }),
    };
  }

  get waitedMs(): number {
    return this.#waitedMs;
  }

  get isWaiting(): boolean {
    return this.#waitsSince !== undefined;
  }

  get runningMs(): number {
    return performance.now() - this.#startedAt - this.#waitedMs;
  }

  get silentMs(): number {
    return performance.now() - this.#signAt;
  }

  /** Seconds without a sign of work, once for each silence that lasts so long. */
  newlySilent(ms: number): number | undefined {
    const { silentMs } = this;
    const wasTold = this.#isTold;
    this.#isTold = silentMs >= ms;
    return this.#isTold && !wasTold ? Math.ceil(silentMs / 1_000) : undefined;
  }

  /** The agent gave a sign of work. */
  sign(): void {
    this.#signAt = performance.now();
  }

  wait(): void {
    this.#waitsSince ??= performance.now();
  }

  waitNoLonger(): void {
    const now = performance.now();
    this.#waitedMs += now - (this.#waitsSince ?? now);
    this.#waitsSince = undefined;
    this.#signAt = now;
  }
}

function fromWall(ms: number): number {
  return performance.now() - Math.max(0, Date.now() - ms);
}

function toWall(ms: number): number {
  return Date.now() - (performance.now() - ms);
}
