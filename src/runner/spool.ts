import { randomUUID } from 'node:crypto';
import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { OutputChunk } from '../services/output.ts';

const MEMORY_BYTES_MAX = 8_388_608;
// What an object of a chunk weighs beside its text.
const CHUNK_BYTES = 200;
const CALL_BYTES_MAX = 262_144;
const CALL_CHUNKS_MAX = 1_000;
// Text in JSON may be six times as long: a line of a chunk of 16 KB always fits.
const READ_BYTES = 524_288;

/**
 * Chunks that wait to be sent, in their order: 8 MB of them in memory, more in a file. Files are written and read at
 * once, not later, because what waits to be written would be in memory.
 */
export class Spool {
  readonly #dir: string;
  #memory: OutputChunk[] = [];
  #memoryBytes = 0;
  #file: number | undefined;
  /** In the file: from where it is to be read on, and its end. */
  #read = 0;
  #written = 0;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Adds a chunk at the end. Raises where the disk does not take it. */
  add(chunk: OutputChunk): void {
    if (this.#written === 0 && this.#memoryBytes < MEMORY_BYTES_MAX) this.#remember(chunk);
    else this.#write(Buffer.from(`${JSON.stringify(chunk)}\n`));
  }

  /** The first chunks, as many as a call takes; they stay. */
  first(): OutputChunk[] {
    if (this.#memory.length === 0) this.#refill();
    let bytes = 0;
    const end = this.#memory.findIndex(({ content }, at) => {
      bytes += Buffer.byteLength(content);
      return at >= CALL_CHUNKS_MAX || bytes > CALL_BYTES_MAX;
    });
    return this.#memory.slice(0, end === -1 ? undefined : end);
  }

  /** Removes so many of the first chunks. */
  remove(count: number): void {
    for (const { content } of this.#memory.splice(0, count)) this.#memoryBytes -= content.length + CHUNK_BYTES;
  }

  close(): void {
    this.#memory = [];
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    [this.#read, this.#written] = [0, 0];
  }

  #remember(chunk: OutputChunk): void {
    this.#memory.push(chunk);
    this.#memoryBytes += chunk.content.length + CHUNK_BYTES;
  }

  #write(line: Buffer): void {
    this.#file ??= openNameless(this.#dir);
    // Half of a line, which a full disk leaves, is written over.
    for (let at = 0; at < line.length; ) at += writeSync(this.#file, line, at, line.length - at, this.#written + at);
    this.#written += line.length;
  }

  #refill(): void {
    if (this.#file === undefined || this.#written === 0) return;
    const block = Buffer.allocUnsafe(Math.min(READ_BYTES, this.#written - this.#read));
    const size = readSync(this.#file, block, 0, block.length, this.#read);
    const end = block.subarray(0, size).lastIndexOf('\n') + 1;
    for (const line of block.toString('utf8', 0, end).split('\n')) if (line !== '') this.#remember(JSON.parse(line));
    this.#read += end;
    if (this.#read < this.#written) return;
    ftruncateSync(this.#file);
    [this.#read, this.#written] = [0, 0];
  }
}

/** Opens a file that only this process can read: it has no name, so nothing of it is left, however the process ends. */
function openNameless(dir: string): number {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `output-${randomUUID()}`);
  const file = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return file;
}
