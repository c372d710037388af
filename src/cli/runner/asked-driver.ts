import { basename } from 'node:path';
import type { Config } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import type { DriverName } from '../../runner/driver-names.ts';
import { driverOf } from '../../runner/drivers/catalog.ts';
import { cleanLine, firstOf } from '../../text.ts';
import { mistyped } from '../mistyped.ts';

/** What of the options says how an agent is driven. */
export type Asked = {
  driver: 'auto' | DriverName;
  type?: string;
  atOnce: number;
  /** `here`, `worktree` or a folder. */
  workspace: string;
};

/** What kind of agent it is; by default the name of its program. */
export function typeOf([program = '']: readonly string[], { type }: Pick<Asked, 'type'>): string {
  const kind = basename(program).replace(/\.(exe|cmd|sh|js|mjs|py)$/i, '') || 'agent';
  return firstOf(cleanLine(type ?? kind).toLowerCase(), 40) || 'agent';
}

/** The driver of an agent, and what its program is given. Raises invalid_input where it does fewer runs at once. */
export function askedDriver(words: readonly string[], options: Asked): { driver: DriverName; args: readonly string[] } {
  const given = words.slice(1);
  const { driver, args } =
    options.driver === 'auto' ? driverOf(typeOf(words, options), given) : { driver: options.driver, args: given };
  if (options.atOnce > 1 && driver !== 'pipe' && options.workspace !== 'worktree') {
    throw mistyped(
      `With the driver ${driver} an agent has one process, for one run at a time.`,
      'Leave --at-once out, or give each run a worktree of its own: --workspace worktree.',
    );
  }
  return { driver, args };
}

/** Each run that an agent does beside another has a process of its own, as an agent has. */
export function refuseTooMany(driven: number, { atOnce }: Pick<Asked, 'atOnce'>, { maxAgents }: Config): void {
  if (driven + atOnce <= maxAgents) return;
  throw new DomainError('rate_limited', `This machine drives ${driven} of at most ${maxAgents} agents.`, {
    hint: `${atOnce > 1 ? 'Say a smaller --at-once' : 'End a runner'}, or set CAIRN_MAX_AGENTS to more.`,
  });
}
