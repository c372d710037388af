import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { codeOf, DomainError } from './errors.ts';
import { escaped } from './text.ts';

const KB = 1_024;
const MB = 1_048_576;

type Options = {
  hint?: string;
  /** With false a link counts as no file, for directories that someone else may write to. */
  followsLink?: boolean;
};

/**
 * Reads a file that others wrote; null if there is none. Raises invalid_input for a directory, a device or a pipe that
 * nobody fills, and payload_too_large, with the hint, before it reads anything.
 */
export function readBounded(file: string, bytesMax: number, options?: Options): string | null {
  return readBytes(file, bytesMax, options)?.toString() ?? null;
}

/** Reads bytes as `readBounded` does, for text that may have another encoding. */
export function readBytes(file: string, bytesMax: number, { hint, followsLink = true }: Options = {}): Buffer | null {
  // Does not wait for a pipe's writer; Windows has no such flags.
  const flags = (constants.O_NONBLOCK ?? 0) | (followsLink ? 0 : (constants.O_NOFOLLOW ?? 0));
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | flags);
  } catch (error) {
    if (isMissing(error)) return null;
    throw unreadable(file, codeOf(error), error);
  }
  try {
    const about = fstatSync(descriptor);
    if (!about.isFile()) throw unreadable(file, 'it is not a file');
    if (about.size > bytesMax) throw tooLarge(file, bytesMax, hint);
    const bytes = Buffer.alloc(about.size);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(descriptor, bytes, length, bytes.length - length, null);
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

export function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error));
}

function unreadable(file: string, why: string, cause?: unknown): DomainError {
  return new DomainError('invalid_input', `The file ${escaped(file)} cannot be read (${why}).`, {
    hint: 'Put a file there that you may read, or move this away.',
    cause,
  });
}

export function tooLarge(file: string, bytesMax: number, hint = 'Name another file, or split this one.'): DomainError {
  const size = bytesMax < MB ? `${bytesMax / KB} KB` : `${bytesMax / MB} MB`;
  return new DomainError('payload_too_large', `${escaped(file)} is larger than ${size}.`, { hint });
}

export function unusableFile(file: string, cause: unknown): DomainError {
  const code = codeOf(cause) || String(cause);
  return new DomainError('invalid_input', `The file ${escaped(file)} cannot be used (${code}).`, {
    hint: 'Name a file that you may read or write, or leave it out for standard input or output.',
    cause,
  });
}
