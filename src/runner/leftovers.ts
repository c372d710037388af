import { uptime } from 'node:os';
import { DomainError } from '../errors.ts';
import { endGroup, isGroupAlive } from './process-group.ts';
import { isAlive, type Noted, whatBecameOf } from './process-start.ts';
import type { State } from './state-file.ts';
import { endStrays } from './strays.ts';

/**
 * Ends what an earlier runner of this name left running, so that no second agent works beside it, and returns that
 * runner's token; undefined where nobody knows whether it has ended: then its lease tells. Raises lock_held while it is
 * alive.
 */
export async function endLeftovers(
  left: State | undefined,
  { name, graceMs }: { name: string; graceMs: number },
): Promise<number | undefined> {
  if (left === undefined) return undefined;
  const runner = await whatBecameOf(left.runner);
  if (runner === 'alive') {
    throw new DomainError('lock_held', `A runner is ${name} already, as process ${left.runner.pid}.`, {
      hint: 'Choose another name with --name, or end that runner.',
    });
  }
  for (const { pid } of await groupsOf(left)) await endGroup(pid, { graceMs, isAlive: () => isGroupAlive(pid) });
  // Nothing else has the mark of an agent's group, whatever has its number now.
  for (const { mark } of left.children) if (mark !== undefined) await endStrays(mark, { graceMs });
  return runner === 'gone' ? left.token : undefined;
}

/** Lists those whose group is still the runner's. */
async function groupsOf({ children, at }: State): Promise<Noted[]> {
  const isOfThisBoot = at > Date.now() - 1_000 * uptime();
  const ours = await Promise.all(
    children.map(async (child) => {
      if (!isGroupAlive(child.pid)) return false;
      // Its program has ended and left others in its group, whose number is not given again while they live.
      if (!isAlive(child.pid)) return isOfThisBoot;
      return (await whatBecameOf(child)) === 'alive';
    }),
  );
  return children.filter((_, index) => ours[index]);
}
