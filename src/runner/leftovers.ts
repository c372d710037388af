import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '../errors.ts';
import { isSame, type State } from './state-file.ts';

const LOOK_MS = 50;

/**
 * Ends what an earlier runner of this name left running, so that no second agent works beside it, and returns that
 * runner's token. Raises lock_held while that runner itself is alive.
 */
export async function endLeftovers(
  left: State | undefined,
  { name, graceMs }: { name: string; graceMs: number },
): Promise<number | undefined> {
  if (left === undefined) return undefined;
  if (isSame(left.runner)) {
    throw new DomainError('lock_held', `A runner is ${name} already, as process ${left.runner.pid}.`, {
      hint: 'Choose another name with --name, or end that runner.',
    });
  }
  for (const child of left.children) {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      if (!isSame(child)) break;
      kill(child.pid, signal);
      const until = performance.now() + graceMs;
      while (isSame(child) && performance.now() < until) await sleep(LOOK_MS);
    }
  }
  return left.token;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, signal);
  } catch {
    // It has ended in between.
  }
}
