import type { IncomingMessage } from 'node:http';
import { DomainError } from './errors.ts';

/** Reads the body of a request and stops at the limit, whatever its Content-Length. Rejects when the sender leaves. */
export async function readIncoming(incoming: IncomingMessage, bytesMax: number): Promise<Buffer> {
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

function tooLarge(bytesMax: number): DomainError {
  return new DomainError('payload_too_large', `The body is larger than ${bytesMax} bytes.`, {
    hint: 'Store large content elsewhere (a file, a commit) and record its reference.',
  });
}
