import module from 'node:module';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

// Node.js has it from 22.1 on; the types here are those of 20.
type Caching = { enableCompileCache?: (directory: string) => unknown };

/**
 * Keeps V8's compiled code for the next start, if Node.js can. NODE_COMPILE_CACHE names another directory,
 * NODE_DISABLE_COMPILE_CACHE=1 switches it off; an unwritable directory costs only the cache.
 */
export function useCompileCache(): void {
  try {
    // Not in Node.js's default, the directory for temporary files: cached code is run, and others may write there.
    if (isAbsolute(homedir())) (module as Caching).enableCompileCache?.(directory());
  } catch {
    // A user without a home directory starts without a cache.
  }
}

function directory(): string {
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'cairn');
  if (process.platform === 'win32') return join(homedir(), 'AppData', 'Local', 'cairn', 'Cache');
  return join(homedir(), '.cache', 'cairn');
}
