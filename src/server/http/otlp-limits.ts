import { createCounts } from '../../counts.ts';
import { TtlCache } from '../../ttl-cache.ts';

export type OtlpLimits = {
  /** Requests of one token in a minute. */
  reportsPerMinute: number;
  /** Bytes that are read or wait at once: of one token, and of all. */
  reportBytesMax: Readonly<{ token: number; all: number }>;
};

const MINUTE_MS = 60_000;
const TOKENS_MAX = 10_000;

/** Counts what each token sends to this process. */
export class ReportLimits {
  readonly #limits: OtlpLimits;
  readonly #minutes = new TtlCache<{ count: number; until: number }>({ lifeMs: MINUTE_MS, max: TOKENS_MAX });
  readonly #bytes = createCounts();

  constructor(limits: OtlpLimits) {
    this.#limits = limits;
  }

  /** Takes one of its requests of this minute; the seconds to wait where there is none left. */
  take(token: string): number | undefined {
    const minute = this.#minutes.get(token) ?? { count: 0, until: Date.now() + MINUTE_MS };
    if (minute.count === 0) this.#minutes.set(token, minute);
    minute.count++;
    if (minute.count <= this.#limits.reportsPerMinute) return undefined;
    return Math.max(1, Math.ceil((minute.until - Date.now()) / 1_000));
  }

  /** Makes room for a body until it is given back; undefined where there is none. */
  reserve(token: string, bytes: number): { release(): void } | undefined {
    const { token: most, all } = this.#limits.reportBytesMax;
    if (this.#bytes.of(token) + bytes > most || this.#bytes.of('all') + bytes > all) return undefined;
    this.#bytes.add([token, 'all'], bytes);
    return { release: () => this.#bytes.add([token, 'all'], -bytes) };
  }
}
