// Programs that the tests start, each with its children in a group of its own.
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

const RUN_MS_MAX = 180_000;

type Where = {
  cwd: string;
  env: Record<string, string>;
  /** Given one after the other, each when the one before has its result. */
  prompts?: string[] | undefined;
  msMax?: number;
};
type Exit = { code: number | null; signal: string | null };
type Ended = Exit & { out: string; err: string };
type Started = { child: ChildProcessWithoutNullStreams; ended: Promise<Ended>; kill: () => void };

export function start(command: string, args: string[], { cwd, env, prompts = [], msMax = RUN_MS_MAX }: Where): Started {
  const child = spawn(command, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  const kill = () => killGroup(child);
  const timer = setTimeout(kill, msMax);
  process.once('exit', kill);
  child.stdin.on('error', () => {});
  give(child, prompts);
  const closed = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  const end = async (): Promise<Ended> => {
    const [exit, out, err] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
    clearTimeout(timer);
    process.off('exit', kill);
    return { ...exit, out, err };
  };
  return { child, ended: end(), kill };
}

function give({ stdin, stdout }: ChildProcessWithoutNullStreams, [first, ...rest]: string[]): void {
  if (first === undefined) {
    stdin.end();
    return;
  }
  const write = (content: string) =>
    stdin.write(`${JSON.stringify({ type: 'user', message: { role: 'user', content } })}\n`);
  write(first);
  createInterface({ input: stdout }).on('line', (line) => {
    if (!line.includes('"type":"result"')) return;
    const next = rest.shift();
    if (next === undefined) stdin.end();
    else write(next);
  });
}

/** Kills the process group, unless the process has ended: a child of it may then end by itself. */
function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
