import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import type { Run } from '../events/runs.ts';
import { firstOf, text } from '../text.ts';
import { idListedBy } from './listed-id.ts';
import { interruptText } from './order.ts';
import { addOutput } from './output.ts';
import { getControl, reportRun, Started } from './runner.ts';

// Agents without a runner: what their hooks and their tools say and ask.

const POLL_MS = 1_000;
const NOTE_CHARACTERS_MAX = 4_000;
const ERROR_CHARACTERS_MAX = 2_000;

/** Types of agents by what their clients call themselves. */
const TYPES: Readonly<Record<string, string>> = { 'claude-code': 'claude', 'gemini-cli': 'gemini' };

const Answer = z.union([
  /** `again`: it was given before, and has not ended. */
  Started.extend({ again: z.boolean().optional() }),
  /** The words for the agent. */
  z.object({ interrupt: z.string().transform(interruptText) }),
  z.object({ nothing: z.string() }),
]);
export type Answer = z.infer<typeof Answer>;
export type Given = Extract<Answer, { command: unknown }>;

/** A sign of life, and a question for the next run. Raises lock_held while a runner drives the agent. */
export const callIn = sqlFunction('call_in', Answer);

/** What an agent that asks by itself says of itself. */
export function aboutPulling({ actor, project }: Context, more: { host_machine?: string } = {}) {
  const { agent, client } = actor;
  const kind = firstOf(client ?? 'agent', 40);
  return {
    name: agent ?? kind,
    type: TYPES[kind] ?? kind,
    driver: 'pull',
    config: { modes: ['turn'] },
    ...(project !== undefined && { project }),
    ...more,
  };
}

/** Notes by which way the text of a run reached its agent. */
export function reportDelivered(ctx: Context, { run, lock_token }: Given, path: string): Promise<Run> {
  return reportRun(ctx, { run: run.id, lock_token, events: [{ type: 'run.delivered', data: { path } }] });
}

/**
 * Asks for the next run until there is one, or the signal ends it: then undefined. What the agent was given and has not
 * ended is given again.
 */
export async function untilGiven(
  ctx: Context,
  about: ReturnType<typeof aboutPulling>,
  signal: AbortSignal,
): Promise<Exclude<Answer, { nothing: string }> | undefined> {
  for (;;) {
    const answer = await callIn(ctx, { agent: about, asked: { takes: 'next', again: true, idle: true } });
    if (!('nothing' in answer)) return answer;
    do {
      await sleep(POLL_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return undefined;
    } while (!(await getControl(ctx, { agent: about.name, held: [] })).queued);
  }
}

export const NextCommand = z.strictObject({
  wait_seconds: z.int().min(0).max(45).default(0).describe('How long to wait for one, if none is there.'),
});

export const NextCommandAnswer = z.object({
  given: Started.pick({ run: true, lock_token: true, command: true }).optional(),
  again: z.boolean().optional(),
  interrupted: z.string().optional(),
});
export type NextCommandAnswer = z.infer<typeof NextCommandAnswer>;

/** Takes the next command for the calling agent, which is registered with its first call. */
export async function nextCommand(
  ctx: Context,
  { wait_seconds }: z.output<typeof NextCommand>,
): Promise<NextCommandAnswer> {
  const up = new AbortController();
  // AbortSignal.timeout within AbortSignal.any may be garbage-collected before it fires (Node.js 20).
  const timer = setTimeout(() => up.abort(), wait_seconds * 1_000);
  const leaving = ctx.signal?.();
  const signal = leaving === undefined ? up.signal : AbortSignal.any([leaving, up.signal]);
  try {
    const answer = await untilGiven(ctx, aboutPulling(ctx), signal);
    if (answer === undefined) return {};
    if ('interrupt' in answer) return { interrupted: answer.interrupt };
    const { run, lock_token, command, again = false } = answer;
    if (run.delivered_at === undefined) await reportDelivered(ctx, answer, 'next_command');
    return { given: { run, lock_token, command }, ...(again && { again }) };
  } finally {
    clearTimeout(timer);
  }
}

export const UpdateCommand = z.strictObject({
  run: idListedBy('next_command'),
  lock_token: z.int().min(1).describe('That of next_command.'),
  status: z.enum(['running', 'completed', 'failed']).default('running').describe('The last two end it.'),
  text: text(20_000).describe('Its progress; at the end its result, or what failed.'),
});

/** Notes the progress of a run, where its output is read, or ends it. Raises lock_lost. */
export async function updateCommand(
  ctx: Context,
  { run, lock_token, status, text: told }: z.output<typeof UpdateCommand>,
): Promise<Run> {
  if (status === 'running') {
    await addNote(ctx, { run, lock_token }, told);
    return reportRun(ctx, { run, lock_token, events: [{ type: 'run.acknowledged' }] });
  }
  const data =
    status === 'completed'
      ? { status, end_reason: status, result: told }
      : { status, end_reason: 'error', error: firstOf(told, ERROR_CHARACTERS_MAX), result: told };
  return reportRun(ctx, { run, lock_token, events: [{ type: 'run.finished', data }] });
}

async function addNote(ctx: Context, held: { run: string; lock_token: number }, told: string): Promise<void> {
  const { next_seq: sequence } = await addOutput(ctx, { ...held, chunks: [] });
  const content = `${firstOf(told, NOTE_CHARACTERS_MAX)}\n`;
  await addOutput(ctx, { ...held, chunks: [{ sequence, stream: 'stdout', content, at: new Date().toISOString() }] });
}
