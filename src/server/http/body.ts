import type { IncomingMessage } from 'node:http';
import { readIncoming } from '../../incoming-body.ts';

/** How much of an unwanted body is read, and for how long, before its sender is answered. */
export type DiscardLimits = { discardBytesMax: number; discardMs: number };

/**
 * Reads the body and leaves it where the request adapter looks for a body read before: `text()` and its like answer
 * from it.
 */
export async function takeBody(incoming: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const rawBody = await readIncoming(incoming, bytesMax);
  Object.assign(incoming, { rawBody });
  return rawBody;
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
