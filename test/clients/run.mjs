// Programs that the tests start, each with its children in a group of its own.
import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

const RUN_MS_MAX = 180_000;

/** @typedef {{ cwd: string, env: Record<string, string>, prompts?: string[], msMax?: number }} Where `prompts` are given one after the other, each when the one before has its result */
/** @typedef {{ code: number | null, signal: string | null, out: string, err: string }} Ended */

/** @param {string} command @param {string[]} args @param {Where} where */
export function start(command, args, { cwd, env, prompts = [], msMax = RUN_MS_MAX }) {
  const child = spawn(command, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  const kill = () => killGroup(child);
  const timer = setTimeout(kill, msMax);
  process.once('exit', kill);
  child.stdin.on('error', () => {});
  give(child, prompts);
  const closed = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  /** @returns {Promise<Ended>} */
  const end = async () => {
    const [exit, out, err] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
    clearTimeout(timer);
    process.off('exit', kill);
    return { ...exit, out, err };
  };
  return { child, ended: end(), kill };
}

/** @param {import('node:child_process').ChildProcessWithoutNullStreams} child @param {string[]} prompts */
function give({ stdin, stdout }, [first, ...rest]) {
  if (first === undefined) return stdin.end();
  const write = (/** @type {string} */ content) =>
    stdin.write(`${JSON.stringify({ type: 'user', message: { role: 'user', content } })}\n`);
  write(first);
  createInterface({ input: stdout }).on('line', (line) => {
    if (!line.includes('"type":"result"')) return;
    const next = rest.shift();
    if (next === undefined) stdin.end();
    else write(next);
  });
}

/** What has ended may still have a child that leaves in peace. @param {import('node:child_process').ChildProcess} child */
function killGroup({ pid, exitCode, signalCode }) {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
