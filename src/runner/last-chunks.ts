import type { OutputChunk, SentOutput } from '../services/output.ts';

const BYTES_MAX = 5_242_880;
const CHUNKS_MAX = 20_000;

/** The last 5 MB of a flood, and how much came before them. */
export class LastChunks {
  #chunks: OutputChunk[] = [];
  #bytes = 0;
  #leftOut: SentOutput['left_out'];
  /** What was left out latest, which is not told before the end: the rest of its line belongs to it. */
  #latest: SentOutput['left_out'];

  add(chunk: OutputChunk): void {
    this.#chunks.push(chunk);
    this.#bytes += Buffer.byteLength(chunk.content);
    while (this.#bytes > BYTES_MAX || this.#chunks.length > CHUNKS_MAX) this.#leaveFirst();
  }

  /** What was left out since it was asked last. */
  takeLeftOut(): SentOutput['left_out'] {
    const leftOut = this.#leftOut;
    this.#leftOut = undefined;
    return leftOut;
  }

  /** All of them. They begin with a line where something before them was left out, which is told completely now. */
  take(): OutputChunk[] {
    this.#beginWithLine();
    this.#countLatest();
    const chunks = this.#chunks;
    [this.#chunks, this.#bytes] = [[], 0];
    return chunks;
  }

  #beginWithLine(): void {
    const [first] = this.#chunks;
    const end = (first?.content.indexOf('\n') ?? -1) + 1;
    if (this.#latest === undefined || first === undefined || end === 0) return;
    const content = first.content.slice(end);
    if (content === '') this.#leaveFirst();
    else {
      this.#chunks[0] = { ...first, content };
      this.#latest.bytes += Buffer.byteLength(first.content) - Buffer.byteLength(content);
    }
  }

  #leaveFirst(): void {
    const first = this.#chunks.shift();
    if (first === undefined) return;
    const bytes = Buffer.byteLength(first.content);
    this.#bytes -= bytes;
    this.#countLatest();
    this.#latest = { below: first.sequence + 1, bytes };
  }

  #countLatest(): void {
    if (this.#latest === undefined) return;
    const { below, bytes } = this.#latest;
    this.#leftOut = { below, bytes: bytes + (this.#leftOut?.bytes ?? 0) };
    this.#latest = undefined;
  }
}
