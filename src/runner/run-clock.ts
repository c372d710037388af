/** How long a run works, without the time in which it waits for a person or its provider. */
export class RunClock {
  readonly #startedAt: number;
  #waitedMs: number;
  #waitsSince: number | undefined;
  #signAt = performance.now();
  #isTold = false;

  /** `startedAt` as the clock of the machine says, which goes on beyond one runner. */
  constructor({ startedAt, waitedMs }: { startedAt: number; waitedMs: number }) {
    this.#startedAt = performance.now() - Math.max(0, Date.now() - startedAt);
    this.#waitedMs = waitedMs;
  }

  get startedAt(): number {
    return Date.now() - (performance.now() - this.#startedAt);
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
