import { setTimeout as sleep } from 'node:timers/promises';
import { tooLarge } from '../bounded-read.ts';
import { DomainError } from '../errors.ts';

/** One request, with its body and that of its answer. */
export const REQUEST_MS_MAX = 60_000;

const ATTEMPTS_MAX = 3;
const BACKOFF_MS = 200;

/** Repeats what failed for a moment: reads, and writes that never overwrite. */
export async function withRetries<T>(attempt: () => Promise<T>): Promise<T> {
  for (let number = 1; ; number++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof DomainError) || !error.retryable || number === ATTEMPTS_MAX) throw error;
    }
    await sleep(BACKOFF_MS * number);
  }
}

/** Reads a body whole. Raises payload_too_large as soon as it has more bytes, and the stream's error if it ends early. */
export async function readBody(
  name: string,
  body: ReadableStream<Uint8Array> | null,
  bytesMax: number,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > bytesMax) throw tooLarge(name, bytesMax, 'It is no blob of Cairn: put the right file there.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
