import type { Task, TaskBrief } from '../../events/task-forms.ts';

// The text that the policy for cancelled dependencies writes; a person may write the like, and at worst gets a useless
// hint.
const BLOCKED_BY = /^Its dependency ([a-z][a-z0-9-]{0,30}-\d+) was cancelled: /;

type Open = Pick<Task, 'ref' | 'status' | 'dependencies'>;

/** Lists the cancelled tasks that an open one depends on: it waits for them in vain. */
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

/** Warns of a part that waits for its whole, which is ready only after its parts. */
export function warnOfVain(parent: unknown, dependencies: readonly string[] = []): void {
  if (typeof parent !== 'string' || !dependencies.includes(parent)) return;
  process.stderr.write(`! It waits for ${parent}, a part of which it is: neither becomes ready.\n`);
}

/** Returns the dependency whose cancellation blocks a task; undefined for any other reason. */
export function blockedByCancelled({ blocked_reason = '' }: Pick<TaskBrief, 'blocked_reason'>): string | undefined {
  return BLOCKED_BY.exec(blocked_reason)?.[1];
}
