import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../log.ts';
import type { Added, OutputChunk, SentOutput } from '../services/output.ts';
import { LastChunks } from './last-chunks.ts';
import { Spool } from './spool.ts';
import { untilTaken } from './until-taken.ts';

type Stream = OutputChunk['stream'];
/** How much was printed before something. */
export type Printed = { characters: number; bytes: number };
/** A sequence, and what was printed before it. */
export type Mark = Printed & { sequence: number };
/** Where the server's pieces end, and how many bytes after that nobody has any more. */
export type Reached = Printed & { lost: number };
type Parts = {
  send(sent: SentOutput): Promise<Added>;
  log: Log;
  /** For a file of what waits while the server is away. */
  spoolDir: string;
  /** Hears of chunks before they are sent, and once the server has them. */
  sends?(mark: Mark): void;
  sent?(characters: number): void;
  /** Hears why nothing more is recorded. */
  refused?(error: unknown): void;
};

const CHUNK_BYTES = 16_000;
const WAIT_MS = 100;
// Of the 50 MB of a run; the rest is for its end.
const FIRST_BYTES_MAX = 47_185_920;
const TELL_MS = 5_000;
const ESCAPE = '\u001b';

/**
 * Sends what a run prints, in order and once, in pieces of at most 16 KB; keeps it while the server is away. Of a flood
 * it sends the first 45 MB, and at the end the last 5.
 */
export class OutputSender {
  readonly #parts: Parts;
  readonly #spool: Spool;
  readonly #last = new LastChunks();
  #open: { stream: Stream; text: string; at: string } | undefined;
  #bytes = 0;
  #sequence = 0;
  /** Up to where all was sent in one row. */
  #mark: Mark = { sequence: 0, characters: 0, bytes: 0 };
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #ending: Promise<void> | undefined;
  #isFull = false;
  #toldAt = 0;
  #isFailing = false;
  #losingUntil: string | undefined;
  #tellFailure = () => {};
  #isEnding = false;
  #isOver = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#spool = new Spool(parts.spoolDir);
  }

  add(stream: Stream, text: string): void {
    if (this.#isOver) return;
    if (this.#open?.stream !== stream) this.#close();
    this.#open ??= { stream, text: '', at: new Date().toISOString() };
    this.#open.text += text.replaceAll('\0', '');
    if (this.#open.text.length >= CHUNK_BYTES) this.#close();
    this.#timer ??= setTimeout(() => this.#flush(), WAIT_MS);
  }

  /** Goes on where the server's pieces end, as the caller knows it; returns how many characters are before that. */
  async resume(reached: (sequence: number) => Reached): Promise<number> {
    const found = await this.#tell({ chunks: [] });
    const next = found?.next_seq ?? 0;
    const { lost, ...printed } = reached(next);
    this.#sequence = lost > 0 ? next + 1 : next;
    this.#mark = { sequence: this.#sequence, ...printed };
    if (lost > 0) {
      this.#parts.sends?.(this.#mark);
      await this.#tell({ chunks: [], left_out: { below: this.#sequence, bytes: lost, why: 'lost' } });
    }
    return printed.characters;
  }

  #tell(sent: SentOutput): Promise<Added | undefined> {
    const { send, log } = this.#parts;
    return untilTaken(() => send(sent), {
      isOver: () => this.#isOver,
      failed: (err) => log.debug({ err }, 'what the server has is not known'),
    });
  }

  /** Settles when all is sent, and already when a call fails: the rest is sent once the server is back. */
  async tryEnd(): Promise<void> {
    const sent = this.end();
    if (!this.#isFailing) await Promise.race([sent, new Promise<void>((resolve) => (this.#tellFailure = resolve))]);
  }

  /** Settles when all is sent, or nobody takes it any more. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    // One that is about to end has not seen this.
    await this.#sending;
    this.#isEnding = true;
    do {
      this.#flush();
      await this.#sending;
      // The last words of a program may come after it has said that it is done.
    } while (this.#open !== undefined && !this.#isOver);
    this.drop();
  }

  /** Nobody takes it: the run is another's. */
  drop(): void {
    this.#isOver = true;
    this.#spool.close();
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
      this.#keep({ sequence: this.#sequence, stream, content, at, ansi: content.includes(ESCAPE) });
      this.#sequence += 1;
    }
  }

  #keep(chunk: OutputChunk): void {
    this.#bytes += Buffer.byteLength(chunk.content);
    if (this.#bytes > FIRST_BYTES_MAX) this.#isFull = true;
    if (!this.#isFull) {
      try {
        this.#spool.add(chunk);
        return;
      } catch (err) {
        this.#parts.log.warn({ err }, 'output does not fit on the disk while the server is away');
        this.#isFull = true;
      }
    }
    this.#last.add(chunk);
  }

  async #work(): Promise<void> {
    const { send, log } = this.#parts;
    try {
      for (let sent = this.#next(); sent !== undefined; sent = this.#next()) {
        const now = sent;
        const mark = this.#markAfter(now);
        if (mark !== undefined) this.#parts.sends?.(mark);
        const taken = await untilTaken(() => send(now), {
          isOver: () => this.#isOver,
          failed: (err) => {
            log.debug({ err }, 'output is not taken');
            this.#isFailing = true;
            this.#tellFailure();
          },
        });
        this.#isFailing = false;
        if (mark !== undefined) this.#parts.sent?.(mark.characters);
        this.#spool.remove(now.chunks.length);
        if (taken?.full && !this.#isFull) this.#fill();
        this.#warn(taken?.over_quota);
        if (taken?.pause_ms !== undefined) await sleep(taken.pause_ms);
      }
    } catch (error) {
      this.#parts.refused?.(error);
      this.drop();
    }
  }

  /** Of a flood only what is sent in one row counts. */
  #markAfter({ chunks }: SentOutput): Mark | undefined {
    if (chunks[0]?.sequence !== this.#mark.sequence) return undefined;
    const length = chunks.reduce((sum, { content }) => sum + content.length, 0);
    const size = chunks.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
    const { sequence, characters, bytes } = this.#mark;
    this.#mark = { sequence: sequence + chunks.length, characters: characters + length, bytes: bytes + size };
    return this.#mark;
  }

  /** Says once that what is printed is lost; the run goes on. */
  #warn(over: Added['over_quota']): void {
    if (over !== undefined && this.#losingUntil !== over.until)
      this.#parts.log.warn(over, 'output is not kept any more');
    this.#losingUntil = over?.until ?? this.#losingUntil;
  }

  /** What is to be sent now. */
  #next(): SentOutput | undefined {
    if (this.#isOver) return undefined;
    const waiting = chunksOf(this.#spool);
    if (waiting !== undefined) return waiting;
    const now = performance.now();
    if (!this.#isEnding && now - this.#toldAt < TELL_MS) return undefined;
    if (this.#isEnding) for (const chunk of this.#last.take()) this.#spool.add(chunk);
    const left_out = this.#last.takeLeftOut();
    if (left_out === undefined) return this.#isEnding ? chunksOf(this.#spool) : undefined;
    this.#toldAt = now;
    return { chunks: [], left_out };
  }

  /** The server keeps only the end from now on. */
  #fill(): void {
    this.#isFull = true;
    for (let chunks = this.#spool.first(); chunks.length > 0; chunks = this.#spool.first()) {
      for (const chunk of chunks) this.#last.add(chunk);
      this.#spool.remove(chunks.length);
    }
  }
}

function chunksOf(spool: Spool): SentOutput | undefined {
  const chunks = spool.first();
  return chunks.length > 0 ? { chunks } : undefined;
}

/** Cuts a text into pieces of at most so many bytes, between characters. */
function pieces(text: string): string[] {
  if (Buffer.byteLength(text) <= CHUNK_BYTES) return [text];
  const bytes = Buffer.from(text);
  const found: string[] = [];
  for (let from = 0; from < bytes.length; ) {
    let end = Math.min(from + CHUNK_BYTES, bytes.length);
    // The bytes of a character but its first begin with 10.
    while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
    found.push(bytes.toString('utf8', from, end));
    from = end;
  }
  return found;
}
