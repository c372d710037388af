import type { Context } from '../../context.ts';
import { openLocal } from '../../local.ts';
import { createLog } from '../../log.ts';
import { callByHook } from '../../runner/calling.ts';
import type { Answer } from '../../services/callers.ts';
import { firstOf } from '../../text.ts';
import { agentOf, type Hooked } from './agent.ts';
import { DIALECTS } from './dialects.ts';
import type { HookInput } from './input.ts';

const RESULT_CHARACTERS_MAX = 20_000;

/** Opens a running database as the agent of the session; starts none. The caller ends the process. */
export async function openAsAgent(hooked: Hooked): Promise<Context> {
  const { config } = hooked;
  const log = createLog('silent');
  const { db, blobs, actor } = await openLocal(config, log, { start: false });
  return {
    db,
    blobs,
    log,
    scopes: 'all',
    actor: { ...actor, agent: agentOf(hooked), client: 'hook' },
    project: config.project,
  };
}

type Asked = { takes: 'nothing' | 'joining' | 'next'; turn?: object; idle?: boolean };

/** A sign of life of the session's agent, and its question for a command. */
export function callAs(ctx: Context, hooked: Hooked, asked: Asked): Promise<Answer> {
  const { type } = DIALECTS[hooked.client];
  return callByHook(ctx, { name: agentOf(hooked), type, wakes: hooked.client === 'claude-code' }, asked);
}

/** By which way a command reaches the session. */
export function pathOf({ input }: Hooked): string {
  return `hook ${input.hook_event_name ?? ''}`.trim();
}

/** How a turn has ended, as its client tells: with the agent's last words where it tells them. */
export function turnOf({ last_words, status }: HookInput): object {
  const result =
    last_words === undefined || last_words === '' ? {} : { result: firstOf(last_words, RESULT_CHARACTERS_MAX) };
  if (status === 'aborted') return { status: 'cancelled', end_reason: 'interrupted', ...result };
  if (status === 'error') return { status: 'failed', end_reason: 'error', ...result };
  return { status: 'completed', end_reason: 'completed', ...result };
}
