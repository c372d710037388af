type Source = { pause(): unknown; resume(): unknown };

/** Lets what programs print wait in their pipes while nobody takes it. */
export class Gate {
  readonly #sources = new Set<Source>();
  #opened: Promise<void> | undefined;
  #open = () => {};

  get isClosed(): boolean {
    return this.#opened !== undefined;
  }

  /** Settles at once, unless it is closed. */
  get opened(): Promise<void> {
    return this.#opened ?? Promise.resolve();
  }

  add(source: Source): void {
    this.#sources.add(source);
    if (this.#opened !== undefined) source.pause();
  }

  remove(source: Source): void {
    this.#sources.delete(source);
  }

  close(): void {
    if (this.#opened !== undefined) return;
    this.#opened = new Promise((resolve) => (this.#open = resolve));
    for (const source of this.#sources) source.pause();
  }

  open(): void {
    if (this.#opened === undefined) return;
    this.#opened = undefined;
    this.#open();
    for (const source of this.#sources) source.resume();
  }
}
