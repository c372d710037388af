import type { Context } from '../../context.ts';
import { hostName } from '../../host-name.ts';
import { openLocal } from '../../local.ts';
import { createLog } from '../../log.ts';
import { type Answer, callIn, type Given, reportDelivered } from '../../services/callers.ts';
import { orderText } from '../../services/order.ts';
import { firstOf } from '../../text.ts';
import { agentOf, type Hooked } from './agent.ts';
import { DIALECTS } from './dialects.ts';
import type { HookInput } from './input.ts';

const RESULT_CHARACTERS_MAX = 20_000;
// Every client passes on so much.
const TEXT_CHARACTERS_MAX = 7_500;

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
  const wakes = hooked.client === 'claude-code';
  return callIn(ctx, {
    agent: {
      ...{ name: agentOf(hooked), type: DIALECTS[hooked.client].type, driver: 'hook', host_machine: hostName() },
      config: { modes: ['turn', 'steer'], ...(wakes && { wakes }) },
      ...(ctx.project !== undefined && { project: ctx.project }),
    },
    asked,
  });
}

/** The text of a command for a model, at most so long that every client passes it on. */
export function textFor(given: Given): string {
  const text = orderText(given);
  if (text.length <= TEXT_CHARACTERS_MAX) return text;
  return `${firstOf(text, TEXT_CHARACTERS_MAX)}…\n\nAll of it: cairn commands show ${given.command.id}\n`;
}

/** Notes that the text has reached the client, as far as a hook can know, and by which way. */
export async function noteDelivered(ctx: Context, given: Given, { input }: Hooked): Promise<void> {
  await reportDelivered(ctx, given, `hook ${input.hook_event_name ?? ''}`.trim());
}

/** How a turn has ended, as its client tells: with the agent's last words where it tells them. */
export function turnOf({ last_words, status }: HookInput): object {
  const result =
    last_words === undefined || last_words === '' ? {} : { result: firstOf(last_words, RESULT_CHARACTERS_MAX) };
  if (status === 'aborted') return { status: 'cancelled', end_reason: 'interrupted', ...result };
  if (status === 'error') return { status: 'failed', end_reason: 'error', ...result };
  return { status: 'completed', end_reason: 'completed', ...result };
}
