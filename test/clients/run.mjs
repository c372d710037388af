// Programs that the tests start, each with its children in a group of its own.
import { spawn } from 'node:child_process';
import process from 'node:process';
import { text } from 'node:stream/consumers';

const RUN_MS_MAX = 180_000;

/** @typedef {{ cwd: string, env: Record<string, string>, input?: string, msMax?: number }} Where */
/** @typedef {{ code: number | null, signal: string | null, out: string, err: string }} Ended */

/** @param {string} command @param {string[]} args @param {Where} where */
export function start(command, args, { cwd, env, input = '', msMax = RUN_MS_MAX }) {
  const child = spawn(command, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  const timer = setTimeout(() => killGroup(child), msMax);
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const closed = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  /** @returns {Promise<Ended>} */
  const end = async () => {
    const [exit, out, err] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
    clearTimeout(timer);
    return { ...exit, out, err };
  };
  return { child, ended: end() };
}

/** @param {import('node:child_process').ChildProcess} child */
function killGroup({ pid }) {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
