import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export type LoggingIn = {
  line(matching: RegExp): Promise<string>;
  type(text: string): void;
  ended: Promise<{ code: number | null; stderr: string }>;
};

/** `cairn login` as a person sees it. */
export function logIn(args: string[], env: NodeJS.ProcessEnv): LoggingIn {
  const child = spawn(process.execPath, [CLI, 'login', ...args], { env: { ...process.env, ...env } });
  let shown = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    shown += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<{ code: number | null; stderr: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, stderr }));
  });
  return {
    line: async (matching) => {
      for (;;) {
        const [found] = matching.exec(shown) ?? [];
        if (found !== undefined) return found;
        await new Promise((resolve) => child.stdout.once('data', resolve));
      }
    },
    type: (text) => child.stdin.write(`${text}\n`),
    ended,
  };
}
