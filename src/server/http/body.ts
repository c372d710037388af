import type { IncomingMessage } from 'node:http';

export class BodyTooLarge extends Error {}

/** Reads the body where the adapter of requests looks for one that was read already: `text()` and its like answer from it. */
export async function takeBody(incoming: IncomingMessage, bytesMax: number): Promise<void> {
  Object.assign(incoming, { rawBody: await readBody(incoming, bytesMax) });
}

/** Reads what a request carries, and stops at the limit, whatever its Content-Length says. Rejects when the sender leaves. */
async function readBody(incoming: IncomingMessage, bytesMax: number): Promise<Buffer> {
  if (Number(incoming.headers['content-length'] ?? 0) > bytesMax) throw new BodyTooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    const settle = (done: () => void) => {
      incoming.off('data', take).off('end', end).off('error', fail).off('close', fail);
      done();
    };
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) settle(() => reject(new BodyTooLarge()));
      else chunks.push(chunk);
    };
    const end = () => settle(() => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    const fail = (error?: Error) => settle(() => reject(error ?? new Error('The sender left.')));
    incoming.on('data', take).on('end', end).on('error', fail).on('close', fail);
  });
}
