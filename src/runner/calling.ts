import type { Context } from '../context.ts';
import { hostName } from '../host-name.ts';
import { type Answer, aboutPulling, callIn, type Given, reportDelivered, untilGiven } from '../services/callers.ts';
import { orderText } from '../services/order.ts';
import { getControl } from '../services/runner.ts';
import { firstOf } from '../text.ts';

// What short-lived processes do for an agent that no runner drives.

// Every client passes on so much.
const TEXT_CHARACTERS_MAX = 7_500;

/** A sign of life of an agent by its hook, and its question for a command. */
export function callByHook(
  ctx: Context,
  agent: { name: string; type: string; wakes: boolean },
  asked: { takes: 'nothing' | 'joining' | 'next'; turn?: object; idle?: boolean },
): Promise<Answer> {
  const { wakes, ...about } = agent;
  return callIn(ctx, {
    agent: {
      ...about,
      ...{ driver: 'hook', host_machine: hostName() },
      config: { modes: ['turn', 'steer'], ...(wakes && { wakes }) },
      ...(ctx.project !== undefined && { project: ctx.project }),
    },
    asked,
  });
}

/** Notes that the text has reached the client, as far as a hook can know. */
export async function noteDelivered(ctx: Context, given: Given, path: string): Promise<void> {
  await reportDelivered(ctx, given, path);
}

/** The text of a command for a model, at most so long that every client passes it on. */
export function textFor(given: Given): string {
  const text = orderText(given);
  if (text.length <= TEXT_CHARACTERS_MAX) return text;
  return `${firstOf(text, TEXT_CHARACTERS_MAX)}…\n\nAll of it: cairn commands show ${given.command.id}\n`;
}

/** Tells whether anything waits for an agent, without a sign of life. */
export async function isQueued(ctx: Context, agent: string): Promise<boolean> {
  return (await getControl(ctx, { agent, held: [] })).queued;
}

/** Waits for a command for the acting agent; undefined when the signal ends the wait. */
export async function waitForCommand(ctx: Context, signal: AbortSignal) {
  const answer = await untilGiven(ctx, aboutPulling(ctx, { host_machine: hostName() }), signal);
  if (answer === undefined || 'interrupt' in answer) return answer;
  if (answer.run.delivered_at === undefined) await reportDelivered(ctx, answer, 'agent wait');
  return { ...answer, text: orderText(answer) };
}
