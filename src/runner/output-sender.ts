import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../log.ts';
import type { OutputChunk } from '../services/output.ts';
import { untilTaken } from './until-taken.ts';

type Stream = OutputChunk['stream'];
type Send = (chunks: OutputChunk[]) => Promise<{ next_seq: number; pause_ms?: number | undefined }>;

const CHUNK_BYTES = 16_000;
const CALL_CHUNKS = 16;
const WAIT_MS = 100;
const PENDING_BYTES_MAX = 8_388_608;
const ESCAPE = '\u001b';

/** Sends what a run prints, in order and once, in pieces of at most 16 KB; keeps it while the server is away. */
export class OutputSender {
  readonly #send: Send;
  readonly #log: Log;
  #open: { stream: Stream; text: string; at: string } | undefined;
  #pending: OutputChunk[] = [];
  #pendingBytes = 0;
  #sequence = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #isOver = false;

  constructor(send: Send, log: Log) {
    this.#send = send;
    this.#log = log;
  }

  add(stream: Stream, text: string): void {
    // More than this is dropped, so that memory stays flat while the server is away.
    if (this.#isOver || this.#pendingBytes > PENDING_BYTES_MAX) return;
    if (this.#open?.stream !== stream) this.#close();
    this.#open ??= { stream, text: '', at: new Date().toISOString() };
    this.#open.text += text.replaceAll('\0', '');
    if (this.#open.text.length >= CHUNK_BYTES) this.#close();
    this.#timer ??= setTimeout(() => this.#flush(), WAIT_MS);
  }

  /** Settles when all is sent, or nobody takes it any more. */
  async end(): Promise<void> {
    this.#flush();
    await this.#sending;
  }

  /** Nobody takes it: the run is another's. */
  drop(): void {
    this.#isOver = true;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#close();
    this.#sending ??= this.#work().finally(() => {
      this.#sending = undefined;
    });
  }

  #close(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined || open.text === '') return;
    for (const content of pieces(open.text)) {
      const { stream, at } = open;
      this.#pending.push({ sequence: this.#sequence, stream, content, at, ansi: content.includes(ESCAPE) });
      this.#sequence += 1;
      this.#pendingBytes += content.length;
    }
  }

  async #work(): Promise<void> {
    while (this.#pending.length > 0 && !this.#isOver) {
      const chunks = this.#pending.slice(0, CALL_CHUNKS);
      try {
        const taken = await untilTaken(() => this.#send(chunks), {
          isOver: () => this.#isOver,
          failed: (err) => this.#log.debug({ err }, 'output is not taken'),
        });
        this.#pending.splice(0, chunks.length);
        this.#pendingBytes -= chunks.reduce((sum, { content }) => sum + content.length, 0);
        if (taken?.pause_ms !== undefined) await sleep(taken.pause_ms);
      } catch {
        this.#isOver = true;
      }
    }
  }
}

/** Cuts a text into pieces of at most so many bytes, between characters. */
function pieces(text: string): string[] {
  const found: string[] = [];
  let piece = '';
  let bytes = 0;
  for (const character of text) {
    const size = Buffer.byteLength(character);
    if (bytes + size > CHUNK_BYTES) {
      found.push(piece);
      [piece, bytes] = ['', 0];
    }
    piece += character;
    bytes += size;
  }
  return [...found, piece];
}
