import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Readable } from 'node:stream';
import { DomainError } from '../errors.ts';

/** Where archived events are: files that are written once, whole, and read. */
export type ArchiveStore = {
  /** What is kept with the log, so that whoever reads later finds it. */
  location: string;
  write(name: string, bytes: Buffer): Promise<void>;
  read(name: string): Promise<Buffer>;
  stream(name: string): Readable;
};

/** A directory on this machine. */
export function directoryStore(directory: string): ArchiveStore {
  return {
    location: directory,
    async write(name, bytes) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const part = join(directory, `${name}.part`);
      const file = await open(part, 'w', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(part, join(directory, name));
    },
    read: (name) => readFile(join(directory, name)),
    stream: (name) => createReadStream(join(directory, name)),
  };
}

/** The store that a log names. */
export function storeAt(location: string): ArchiveStore {
  if (isAbsolute(location)) return directoryStore(location);
  throw new DomainError('unavailable', 'Archived events are kept where this cairn cannot read.', {
    hint: 'Update cairn (npm install -g cairn-mcp@latest).',
    retryable: false,
  });
}
