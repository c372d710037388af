import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** `cairn agent run` as people start it. */
export class RunnerProcess {
  stdout = '';
  stderr = '';
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(
    args: string[],
    { dataDir, token = '', env = {} }: { dataDir: string; token?: string; env?: Record<string, string> },
  ) {
    this.#child = spawn(process.execPath, [CLI, '--data-dir', dataDir, 'agent', 'run', ...args], {
      env: { ...process.env, CAIRN_AGENT: '', NO_COLOR: '1', CAIRN_TOKEN: token, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of ['stdout', 'stderr'] as const) {
      this.#child[stream]?.on('data', (text) => {
        this[stream] += text;
      });
    }
    this.exited = new Promise((resolve) => this.#child.once('exit', resolve));
  }

  async says(words: string | RegExp): Promise<void> {
    const ended = this.exited.then((code) => {
      throw new Error(`The runner ended with ${code}: ${this.stderr}`);
    });
    await Promise.race([vi.waitUntil(() => this.stdout.match(words) !== null, { timeout: 30_000 }), ended]);
  }

  end(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return this.exited;
  }
}
