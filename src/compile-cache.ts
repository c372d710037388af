import module from 'node:module';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

// Node.js has it from 22.1 on, and its types here are those of 20.
type Caching = { enableCompileCache?: (directory: string) => unknown };

/**
 * Keeps what V8 compiles for the next start, where Node.js can. NODE_COMPILE_CACHE names another directory,
 * NODE_DISABLE_COMPILE_CACHE=1 switches it off; a directory that cannot be written to costs the cache and nothing else.
 */
export function useCompileCache(): void {
  try {
    // Not where Node.js would, in the directory for temporary files: what is in there is run, and others may write to it.
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
