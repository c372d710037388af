const CHARACTERS_MAX = 16_000;

/** The end of a text of any length. */
export class Tail {
  #text = '';

  add(text: string): void {
    // Cut now and then, not at each character.
    this.#text += text;
    if (this.#text.length > 2 * CHARACTERS_MAX) this.#text = this.#cut();
  }

  get text(): string {
    return this.#cut().trim();
  }

  /** Half of a character that two code units make is none. */
  #cut(): string {
    return this.#text.slice(-CHARACTERS_MAX).replace(/^[\udc00-\udfff]/, '');
  }
}
