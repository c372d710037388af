import { DomainError } from '../errors.ts';
import { endGroup } from './process-group.ts';
import { isSame, type State } from './state-file.ts';

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
  for (const child of left.children) await endGroup(child.pid, { graceMs, isAlive: () => isSame(child) });
  return left.token;
}
