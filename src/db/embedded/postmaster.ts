import { findProcess, inspectProcess } from '../process.ts';
import { type Layout, layout, readIfFile } from './cluster.ts';

type Postmaster = { pid: number; host: string; port: number };

/** Reads `postmaster.pid`; null if it does not exist or the server is still writing it. */
export function readPostmaster({ pidFile }: Layout): Postmaster | null {
  const lines = readIfFile(pidFile)
    .split('\n')
    .map((line) => line.trim());
  const [pid, , , port, socketDir, address] = lines;
  if (!pid || !port) return null;
  return { pid: Number(pid), host: socketDir || address || '127.0.0.1', port: Number(port) };
}

/** Finds the process id of this cluster's living server; null if there is none, whatever `postmaster.pid` says. */
export async function findServer(paths: Layout): Promise<number | null> {
  const postmaster = readPostmaster(paths);
  // A server whose starter was killed may have written nothing yet.
  if (postmaster === null || !(await isServer(postmaster.pid, paths))) return findProcess('-D', paths.cluster);
  return postmaster.pid;
}

/** Tells whether a server seems to run, for a caller without time to ask it. */
export async function isServerRunning(dataDir: string): Promise<boolean> {
  const paths = layout(dataDir);
  const postmaster = readPostmaster(paths);
  return postmaster !== null && isServer(postmaster.pid, paths);
}

/** Tells whether the process is our server: after a reboot or in a new container the number may belong to anything. */
async function isServer(pid: number, { cluster }: Layout): Promise<boolean> {
  const found = await inspectProcess(pid);
  // Not every system shows such a path unchanged.
  const name = process.platform === 'linux' || /^[ -~]*$/.test(cluster) ? cluster : 'postgres';
  return found !== null && (found.command === '' || found.command.includes(name));
}
