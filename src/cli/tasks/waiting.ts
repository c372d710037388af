import type { Task, TaskBrief } from '../../events/tasks.ts';

// What the policy of cancelled dependencies writes; a person may have written the like, and gets a hint of no use at worst.
const BLOCKED_BY = /^Its dependency ([a-z][a-z0-9-]{0,30}-\d+) was cancelled: /;

type Open = Pick<Task, 'ref' | 'status' | 'dependencies'>;

/** The cancelled tasks that an open one depends on: it waits for them in vain. */
export function cancelledBefore({ status, dependencies }: Pick<Open, 'status' | 'dependencies'>): string[] {
  const isOpen = status === 'pending' || status === 'blocked';
  return isOpen ? dependencies.filter((link) => link.status === 'cancelled').map(({ ref }) => ref) : [];
}

/** Says which cancelled tasks it waits for, and what to do. */
export function waitsInVain(ref: string, cancelled: readonly string[]): string[] {
  if (cancelled.length === 0) return [];
  const options = cancelled.map((other) => `--not-after ${other}`).join(' ');
  const are = cancelled.length === 1 ? 'is cancelled' : 'are cancelled';
  return [
    `It waits for ${cancelled.join(', ')}, which ${are}: \`cairn edit ${ref} ${options}\` lets it go on without, \`cairn cancel ${ref}\` ends it.`,
  ];
}

/** Warns of a part that waits for the whole, which is ready when its parts are over. */
export function warnOfVain(parent: unknown, dependencies: readonly string[] = []): void {
  if (typeof parent !== 'string' || !dependencies.includes(parent)) return;
  process.stderr.write(`! It waits for ${parent}, a part of which it is: neither becomes ready.\n`);
}

/** The dependency whose end blocks a task; undefined where it is blocked for another reason. */
export function blockedByCancelled({ blocked_reason = '' }: Pick<TaskBrief, 'blocked_reason'>): string | undefined {
  return BLOCKED_BY.exec(blocked_reason)?.[1];
}
