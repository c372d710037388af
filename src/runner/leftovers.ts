import { uptime } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '../errors.ts';
import { type Address, HolderLink } from './holder/link.ts';
import { removeSocket } from './holder/socket-folder.ts';
import { endGroup, isGroupAlive } from './process-group.ts';
import { isAlive, type Noted, whatBecameOf } from './process-start.ts';
import { membersOf } from './session-members.ts';
import type { State } from './state-file.ts';
import { endStrays, markOf } from './strays.ts';

const TRIES = 3;
const TRY_AGAIN_MS = 300;

/**
 * Takes over the agent of an earlier runner of this name that works on; undefined where there is none, or where it was
 * another program's, or could not be gone on with, and so was ended. Raises lock_held while that runner is alive, where
 * another has taken it over, and where it is another program's which a name that nobody gave does not replace.
 */
export async function takeOver(
  left: State | undefined,
  { name, drives, replaces, graceMs }: { name: string; drives: string; replaces: boolean; graceMs: number },
): Promise<HolderLink | undefined> {
  if (left?.holder === undefined) return undefined;
  await refuseAlive(left, name);
  if ((await whatBecameOf(left.holder)) === 'gone') return undefined;
  const isIts = left.holder.drives === drives;
  // Its own next runner is still waited for, and for no longer than before.
  if (!isIts && !replaces) throw new DomainError('lock_held', `${name} is at work on something else.`);
  const link = await joinHolder(left.holder, { graceMs });
  // A run that nobody watches must not go on.
  if (link === undefined || (isIts && link.knowsAll)) return link;
  await link.quit();
  return undefined;
}

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
  const runner = await refuseAlive(left, name);
  for (const { pid } of await groupsOf(left)) await endGroup(pid, { graceMs, isAlive: () => isGroupAlive(pid) });
  // Nothing else has the mark of an agent's group, whatever has its number now.
  for (const { mark } of left.children) if (mark !== undefined) await endStrays(mark, { graceMs });
  if (left.holder !== undefined) await removeSocket(left.holder.path);
  return runner === 'gone' ? left.token : undefined;
}

/** A holder may not have seen yet that its last runner is gone. */
async function joinHolder(address: Address, given: { graceMs: number }): Promise<HolderLink | undefined> {
  for (let tries = TRIES; ; tries -= 1) {
    try {
      return await HolderLink.connect(address, given);
    } catch (error) {
      if (tries === 1) throw error;
      await sleep(TRY_AGAIN_MS);
    }
  }
}

async function refuseAlive({ runner }: State, name: string): Promise<'gone' | 'unknown'> {
  const became = await whatBecameOf(runner);
  if (became !== 'alive') return became;
  throw new DomainError('lock_held', `${name} is already driven by process ${runner.pid}.`, {
    hint: 'Choose another name with --name, or end that runner.',
  });
}

/** Lists those whose group is still the runner's. */
async function groupsOf({ children, holder, at }: State): Promise<Noted[]> {
  const all = holder === undefined ? children : [holder, ...children];
  const isOfThisBoot = at > Date.now() - 1_000 * uptime();
  const ours = await Promise.all(
    all.map(async (child) => {
      if (!isGroupAlive(child.pid)) return false;
      // Its program has ended and left others in its group, whose number is not given again while they live; another
      // group may have it since, of a program that has ended too.
      if (!isAlive(child.pid)) return isOfThisBoot && !isOfAnother(child);
      return (await whatBecameOf(child)) === 'alive';
    }),
  );
  return all.filter((_, index) => ours[index]);
}

/** Tells whether none of a group has its mark; unknown, and so false, where the system does not say. */
function isOfAnother({ pid, mark }: Noted): boolean {
  const members = mark === undefined ? [] : (membersOf([pid]) ?? []);
  return members.length > 0 && members.every((member) => markOf(Number(member.pid)) !== mark);
}
