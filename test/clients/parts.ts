// The parts that can be asked for, in the order in which they run.
import type { ClientName, Given } from './given.ts';
import { asks } from './parts/asks.ts';
import { commands } from './parts/commands.ts';
import { drivers } from './parts/drivers.ts';
import { hints } from './parts/hints.ts';
import { hooks } from './parts/hooks.ts';
import { kill } from './parts/kill.ts';
import { leave } from './parts/leave.ts';
import { left } from './parts/left.ts';
import { loop } from './parts/loop.ts';
import { oneToken } from './parts/one-token.ts';
import { signin } from './parts/signin.ts';
import { subagents } from './parts/subagents.ts';
import { tokens } from './parts/tokens.ts';
import { traces } from './parts/traces.ts';
import { usageLimit } from './parts/usage-limit.ts';
import { workers } from './parts/workers.ts';

/** `needs` names the clients that can show it. */
type Part = { run: (given: Given) => Promise<void>; needs?: ClientName[] };
type PartName =
  | ('loop' | 'tokens' | 'hints' | 'hooks' | 'workers' | 'leave' | 'left' | 'kill' | 'one-token' | 'signin')
  | ('drivers' | 'asks' | 'usage-limit' | 'subagents' | 'traces' | 'commands');

export const PARTS: Record<PartName, Part> = {
  loop: { run: loop },
  tokens: { run: tokens },
  hints: { run: hints },
  hooks: { run: hooks, needs: ['claude'] },
  commands: { run: commands },
  workers: { run: workers, needs: ['claude'] },
  leave: { run: leave },
  left: { run: left, needs: ['claude'] },
  kill: { run: kill, needs: ['claude'] },
  'one-token': { run: oneToken, needs: ['claude'] },
  signin: { run: signin, needs: ['claude', 'codex'] },
  drivers: { run: drivers },
  asks: { run: asks },
  'usage-limit': { run: usageLimit },
  subagents: { run: subagents, needs: ['claude', 'codex'] },
  traces: { run: traces },
};
