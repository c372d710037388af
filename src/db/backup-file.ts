import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import type pg from 'pg';
import { pipeAtomically } from '../atomic-write.ts';
import { unusableFile } from '../bounded-read.ts';
import { type BackedUp, backup } from './backup.ts';

/**
 * Writes everything in the database to a file, as of one moment; the file appears when it is complete. After an abort
 * the connection is of no more use.
 */
export async function writeBackup(
  client: pg.Client,
  file: string,
  signal?: AbortSignal,
): Promise<BackedUp & { size_bytes: number }> {
  const done: BackedUp = { tables: 0, rows: 0, sha256: '' };
  await pipeAtomically([Readable.from(backup(client, done)), createGzip()], file, signal);
  return { ...done, size_bytes: (await stat(file)).size };
}

/** Reads the unpacked lines of a backup. */
export function openBackup(file: string, signal?: AbortSignal): Readable {
  const source = createReadStream(file, { ...(signal !== undefined && { signal }) });
  const input = source.pipe(createGunzip());
  source.once('error', (error) => input.destroy(unusableFile(file, error)));
  return input;
}
