import type { IncomingMessage } from 'node:http';
import { DomainError } from '../../errors.ts';

/** How much of an unwanted body is read, and for how long, before its sender is answered. */
export type DiscardLimits = { discardBytesMax: number; discardMs: number };

/**
 * Reads the body and leaves it where the request adapter looks for a body read before: `text()` and its like answer
 * from it.
 */
export async function takeBody(incoming: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const rawBody = await readBody(incoming, bytesMax);
  Object.assign(incoming, { rawBody });
  return rawBody;
}

/** Reads the body of a request and stops at the limit, whatever its Content-Length. Rejects when the sender leaves. */
async function readBody(incoming: IncomingMessage, bytesMax: number): Promise<Buffer> {
  if (Number(incoming.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    const settle = (done: () => void) => {
      incoming.off('data', take).off('end', end).off('error', fail).off('close', fail);
      done();
    };
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) settle(() => reject(tooLarge(bytesMax)));
      else chunks.push(chunk);
    };
    const end = () => settle(() => resolve(Buffer.concat(chunks)));
    const fail = (error?: Error) => settle(() => reject(error ?? new Error('The sender left.')));
    incoming.on('data', take).on('end', end).on('error', fail).on('close', fail);
  });
}

/**
 * Reads an unwanted body to its end, or to a bound. A sender that writes all of it before reading would otherwise find
 * the connection reset, and never learn why.
 */
export async function discardBody(
  incoming: IncomingMessage,
  { discardBytesMax, discardMs }: DiscardLimits,
): Promise<void> {
  const { headers } = incoming;
  const sent = Number(headers['content-length'] ?? 0) > 0 || headers['transfer-encoding'] !== undefined;
  if (!sent || incoming.complete || incoming.destroyed) return;
  let bytes = 0;
  await new Promise<void>((resolve) => {
    const settle = () => {
      clearTimeout(timer);
      incoming.off('data', drop).off('end', settle).off('error', settle).off('close', settle);
      incoming.pause();
      resolve();
    };
    const drop = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > discardBytesMax) settle();
    };
    const timer = setTimeout(settle, discardMs);
    incoming.on('data', drop).on('end', settle).on('error', settle).on('close', settle);
    incoming.resume();
  });
}

function tooLarge(bytesMax: number): DomainError {
  return new DomainError('payload_too_large', `The body is larger than ${bytesMax} bytes.`, {
    hint: 'Store large content elsewhere (a file, a commit) and record its reference.',
  });
}
