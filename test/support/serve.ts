import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** A `cairn serve` process. */
export type Serving = {
  url: URL;
  /** Every line that it logged. */
  log: string[];
  kill(signal: NodeJS.Signals): void;
  exited: Promise<number | null>;
  stop(): Promise<number | null>;
};

/** Starts one on a port that is free, and waits until it says where. */
export async function startServing(flags: string[], env: NodeJS.ProcessEnv = {}): Promise<Serving> {
  const child = spawn(process.execPath, [CLI, 'serve', '--port', '0', '--output', 'both', ...flags], {
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const url = await new Promise<URL>((resolve, reject) => {
    void exited.then((code) => reject(new Error(`cairn serve exited with ${code}: ${log.join('\n')}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = /port (\d+)\. Stop/.exec(line)?.[1];
      if (said !== undefined) resolve(new URL(`http://127.0.0.1:${said}/mcp`));
    });
  });
  return {
    url,
    log,
    exited,
    kill: (signal) => void child.kill(signal),
    stop() {
      child.kill('SIGTERM');
      return exited;
    },
  };
}
