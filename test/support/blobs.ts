import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { directoryPlace } from '../../src/blobs/directory.ts';
import { blobStores } from '../../src/blobs/open.ts';
import { type BlobStore, blobStore } from '../../src/blobs/store.ts';

/** Opens directories alone: it has no key to a bucket. */
export const blobs = blobStores({});

export function directoryStore(directory: string): BlobStore {
  return blobStore(directory, directoryPlace(directory));
}

/** Loses the end of each file that it has written, as a disk may. */
export function lossyStore(directory: string): BlobStore {
  const store = directoryStore(directory);
  return {
    ...store,
    async write(blob) {
      const written = await store.write(blob);
      await truncate(join(directory, written.name), blob.bytes.length - 9);
      return written;
    },
  };
}
