import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DomainError } from '../errors.ts';

/** Writes a file that appears under its name only when it is whole, also when a signal ends it. */
export async function writeWhole([source, ...through]: [Readable, ...Transform[]], out: string): Promise<void> {
  const part = `${out}.part`;
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  process.once('SIGINT', leave).once('SIGTERM', leave);
  try {
    const { signal } = leaving;
    const written = pipeline([source, ...through, createWriteStream(part, { mode: 0o600, flush: true })], { signal });
    // From Node.js 22 on an aborted pipeline ends after its source does, which may wait for a lock of the database.
    await Promise.race([written, once(signal, 'abort').then(() => signal.throwIfAborted())]);
    await rename(part, out);
  } catch (error) {
    await rm(part, { force: true }).catch(() => {});
    throw error instanceof DomainError ? error : unusableFile(out, error);
  } finally {
    process.off('SIGINT', leave).off('SIGTERM', leave);
  }
}

export function unusableFile(file: string, cause: unknown): DomainError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
  return new DomainError('invalid_input', `The file ${file} cannot be used (${code}).`, {
    hint: 'Name a file that you may read or write, or leave it out for standard input or output.',
    cause,
  });
}
