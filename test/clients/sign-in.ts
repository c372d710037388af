// `mcp login` of a client, which prints an address for a browser and waits for its answer.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { allow } from './browser.ts';

const ADDRESS_MS_MAX = 30_000;
const END_MS_MAX = 10_000;
// Without the control characters that a terminal is sent.
const ADDRESS = /https?:\/\/[^\s\p{Cc}]*authorize\?[^\s\p{Cc}]+/u;

type Login = { command: string; args: string[]; cwd: string; env: Record<string, string> };

export async function signIn(
  { command, args, cwd, env }: Login,
  page: Page,
): Promise<{ said: string; isAllowed: boolean; isDone: boolean }> {
  const child = spawn(command, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {});
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      printed += chunk;
    });
  }
  const exited = once(child, 'exit').then(([code]) => code);
  try {
    const address = await addressIn(() => printed, exited);
    if (address === undefined) throw new Error(`No address was printed: ${printed.slice(-600)}`);
    const { said, back } = await allow(page, address);
    // A person pastes the address if the client does not listen itself.
    if (back !== undefined) child.stdin.write(`${back}\n`);
    const code = back === undefined ? undefined : await Promise.race([exited, pause(END_MS_MAX)]);
    return { said, isAllowed: back !== undefined, isDone: code === 0 };
  } finally {
    child.kill();
  }
}

async function addressIn(printed: () => string, exited: Promise<unknown>): Promise<string | undefined> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  exited.then(over, over);
  const since = performance.now();
  while (!isOver && performance.now() - since < ADDRESS_MS_MAX) {
    const address = ADDRESS.exec(printed())?.[0];
    if (address !== undefined) return address;
    await pause(50);
  }
  return undefined;
}
