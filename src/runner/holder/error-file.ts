import { statSync, truncateSync } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cleanLine, firstOf } from '../../text.ts';

const BYTES_MAX = 65_536;
const LOOK_MS = 1_000;

/** Opens a new file for what a holder says on its standard error, in the place of an earlier one's. */
export async function openErrorFile(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rm(path, { force: true });
  return open(path, 'ax', 0o600);
}

/** Empties the file whenever it has become long: it may hold what an agent says, again and again. */
export function keepShort(path: string): void {
  const look = () => {
    try {
      if (statSync(path).size > BYTES_MAX) truncateSync(path);
    } catch {
      // It was removed, or is the only thing on a disk that takes nothing more.
    }
  };
  setInterval(look, LOOK_MS).unref();
}

/** The last line of the file that tells of an error, or else its last; undefined where it says nothing. */
export async function lastErrorIn(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const last = lines.findLast((line) => /^(\w*Error|FATAL ERROR)\b/.test(line)) ?? lines.at(-1);
  return last && firstOf(cleanLine(last), 500);
}
