import { findProcess, inspectProcess } from '../process.ts';
import { type Layout, layout, readIfFile } from './cluster.ts';

type Postmaster = { pid: number; host: string; port: number };

/** What `postmaster.pid` says; null when there is no such file or the server is still writing it. */
export function readPostmaster({ pidFile }: Layout): Postmaster | null {
  const lines = readIfFile(pidFile)
    .split('\n')
    .map((line) => line.trim());
  const [pid, , , port, socketDir, address] = lines;
  if (!pid || !port) return null;
  return { pid: Number(pid), host: socketDir || address || '127.0.0.1', port: Number(port) };
}

/** The process id of the living server of this cluster; null when there is none, whatever `postmaster.pid` says. */
export async function findServer(paths: Layout): Promise<number | null> {
  const postmaster = readPostmaster(paths);
  // One whose starter was killed may have written nothing yet.
  if (postmaster === null || !(await isServer(postmaster.pid, paths))) return findProcess('-D', paths.cluster);
  return postmaster.pid;
}

/** Whether a server seems to run, for a caller who has no time to ask it. */
export async function isServerRunning(dataDir: string): Promise<boolean> {
  const paths = layout(dataDir);
  const postmaster = readPostmaster(paths);
  return postmaster !== null && isServer(postmaster.pid, paths);
}

/** After a reboot or in a new container the number may belong to anything. */
async function isServer(pid: number, { cluster }: Layout): Promise<boolean> {
  const found = await inspectProcess(pid);
  // Not every system shows such a path as it is.
  const name = process.platform === 'linux' || /^[ -~]*$/.test(cluster) ? cluster : 'postgres';
  return found !== null && (found.command === '' || found.command.includes(name));
}
