import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export type Ran = { code: number | null; stdout: string; stderr: string };

export type Given = { input?: string | undefined; cwd?: string; env?: NodeJS.ProcessEnv };

/** Runs `cairn` as a real process; without input its standard input is /dev/null. */
export function cairn(args: string[], { input, cwd, env }: Given = {}): Promise<Ran> {
  const child = spawn(process.execPath, [CLI, ...args], {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    cwd,
    env: { ...process.env, ...env },
  });
  const ran: Ran = { code: null, stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => {
    ran.stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    ran.stderr += chunk;
  });
  child.stdin?.end(input);
  return new Promise((resolve) => child.once('close', (code) => resolve({ ...ran, code })));
}

/** Starts it, for a test that ends it on the way. */
export function startCairn(
  args: string[],
  output: 'ignore' | 'pipe' = 'ignore',
): { process: ChildProcess; exited: Promise<unknown> } {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', output, 'ignore'] });
  return { process: child, exited: new Promise((resolve) => child.once('close', resolve)) };
}
