// A server over HTTP as a process of its own.
import { spawn } from 'node:child_process';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';

/** Starts it and waits for the line that names its port. */
export async function startHttp(command: string[]): Promise<{ port: number; stop: () => Promise<unknown> }> {
  const child = spawn(execPath, command, { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const stop = () => {
    child.kill('SIGTERM');
    return exited;
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /port (\d+)\. Stop/.exec(line)?.[1];
    if (port !== undefined) return { port: Number(port), stop };
  }
  throw new Error(`${command[0]} did not start.`);
}
