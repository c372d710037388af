import { readFile } from 'node:fs/promises';
import { type Layout, layout } from './cluster.ts';

type Postmaster = { pid: number; host: string; port: number };

/** What `postmaster.pid` says; null when there is no such file or the server is still writing it. */
export async function readPostmaster({ pidFile }: Layout): Promise<Postmaster | null> {
  const lines = (await readFile(pidFile, 'utf8').catch(() => '')).split('\n').map((line) => line.trim());
  const [pid, , , port, socketDir, address] = lines;
  if (!pid || !port) return null;
  return { pid: Number(pid), host: socketDir || address || '127.0.0.1', port: Number(port) };
}

/** Whether a server seems to run, for a caller who has no time to ask it. */
export async function isServerRunning(dataDir: string): Promise<boolean> {
  const postmaster = await readPostmaster(layout(dataDir));
  if (postmaster === null) return false;
  try {
    return process.kill(postmaster.pid, 0);
  } catch (error) {
    // It runs as another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
