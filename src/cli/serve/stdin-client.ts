import { fstatSync, type Stats } from 'node:fs';

/** Tells whether standard input may be a client: a pipe, a socket or a non-empty file; no terminal, no /dev/null. */
export function mayBeClient(): boolean {
  const stats = standardInput();
  if (stats === null || process.stdin.isTTY || stats.isCharacterDevice() || stats.isDirectory()) return false;
  return !stats.isFile() || stats.size > 0;
}

function standardInput(): Stats | null {
  try {
    return fstatSync(0);
  } catch {
    // It is closed.
    return null;
  }
}
