// The parts that can be asked for, in the order in which they run.
import { hints } from './parts/hints.mjs';
import { hooks } from './parts/hooks.mjs';
import { kill } from './parts/kill.mjs';
import { leave } from './parts/leave.mjs';
import { left } from './parts/left.mjs';
import { loop } from './parts/loop.mjs';
import { oneToken } from './parts/one-token.mjs';
import { signin } from './parts/signin.mjs';
import { tokens } from './parts/tokens.mjs';
import { workers } from './parts/workers.mjs';

/**
 * @typedef {{ clients: string[], expectOf: (client: string) => import('./expectations.mjs').Expect, say: (text: string) => void }} Given
 * @typedef {{ run: (given: Given) => Promise<void>, needs?: string[] }} Part `needs` names the clients that can show it
 */

/** @type {Record<string, Part>} */
export const PARTS = {
  loop: { run: loop },
  tokens: { run: tokens },
  hints: { run: hints },
  hooks: { run: hooks, needs: ['claude'] },
  workers: { run: workers, needs: ['claude'] },
  leave: { run: leave },
  left: { run: left, needs: ['claude'] },
  kill: { run: kill, needs: ['claude'] },
  'one-token': { run: oneToken, needs: ['claude'] },
  signin: { run: signin, needs: ['claude', 'codex'] },
};
