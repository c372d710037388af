/** Keeps values for a time. At its maximum size the oldest entry makes room. */
export class TtlCache<Value> {
  readonly #found = new Map<string, { value: Value; until: number }>();
  readonly #lifeMs: number;
  readonly #max: number;

  constructor({ lifeMs, max }: { lifeMs: number; max: number }) {
    this.#lifeMs = lifeMs;
    this.#max = max;
  }

  get(key: string): Value | undefined {
    const found = this.#found.get(key);
    return found !== undefined && found.until > Date.now() ? found.value : undefined;
  }

  get isEmpty(): boolean {
    return ![...this.#found.values()].some(({ until }) => until > Date.now());
  }

  set(key: string, value: Value): void {
    this.#found.delete(key);
    const [oldest] = this.#found.keys();
    if (this.#found.size >= this.#max && oldest !== undefined) this.#found.delete(oldest);
    this.#found.set(key, { value, until: Date.now() + this.#lifeMs });
  }

  delete(key: string): void {
    this.#found.delete(key);
  }
}
