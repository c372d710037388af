import * as z from 'zod';
import { jsonObject, line, ref, text } from '../text.ts';
import type { NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';

const RUN_STATUSES = [
  'pending',
  'queued',
  'running',
  'waiting_input',
  'waiting_approval',
  'paused',
  'completed',
  'failed',
  'cancelled',
  'timed_out',
] as const;

export const END_REASONS = [
  'completed',
  'interrupted',
  'cancelled',
  'time_limit',
  'token_limit',
  'memory_limit',
  'cpu_limit',
  'silent',
  'usage_limit',
  'emergency_stop',
  'expired',
  'lost',
  'crashed',
  'error',
] as const;

const SECONDS_MAX = 2_592_000;
const INTEGER_MAX = 999_999_999;

const RunFinished = z.object({
  status: z.enum(['completed', 'failed', 'cancelled', 'timed_out']),
  end_reason: z.enum(END_REASONS),
  error: text(2_000).optional(),
  result: text(20_000).optional(),
  metrics: jsonObject(8_192).optional(),
});

/** @public */
export const runEvents = () =>
  ({
    'run.queued': {
      says: 'it waits for its agent',
      creates: true,
      by: 'door',
      data: z.object({
        agent_id: ref(),
        agent_name: line(60),
        command_id: ref().optional(),
        task: ref().optional(),
        project: ref().optional(),
        mode: line(40),
        priority: z.int().min(0).max(100),
        delivery_mode: z.enum(['turn', 'steer', 'interrupt']),
        ttl_seconds: z.int().min(1).max(SECONDS_MAX),
      }),
    },
    'run.opened': {
      says: 'a program without a runner reports what it does',
      creates: true,
      by: 'verb',
      data: z.object({ agent_id: ref(), agent_name: line(60), project: ref().optional() }),
    },
    'run.claimed': {
      says: 'its agent has taken it',
      by: 'verb',
      data: z.object({ lock_token: z.int().min(1).max(INTEGER_MAX).optional() }),
    },
    'run.delivered': { says: 'its text was given to the agent', by: 'verb', data: z.object({ path: line(200) }) },
    'run.acknowledged': { says: 'the agent has begun with it', by: 'verb', data: z.object({}) },
    'run.waiting': {
      says: 'it waits for a person',
      by: 'verb',
      data: z.object({
        for: z.enum(['input', 'approval']),
        text: text(2_000).optional(),
        /** What is asked, under an id that the runner gives it: see `approval.requested`. */
        ask: jsonObject(24_576).optional(),
      }),
    },
    'run.paused': {
      says: 'it waits for the limit of its provider',
      by: 'verb',
      data: z.object({ seconds: z.int().min(1).max(SECONDS_MAX), reason: text(2_000).optional() }),
    },
    'run.silent': {
      says: 'it gives no sign of work',
      by: 'verb',
      data: z.object({ seconds: z.int().min(1).max(SECONDS_MAX) }),
    },
    'run.resumed': { says: 'it goes on', by: 'verb', data: z.object({}) },
    'run.requeued': {
      says: 'it goes back to the queue',
      by: 'verb',
      data: z.object({ reason: text(2_000).optional() }),
    },
    'run.interrupt_requested': {
      says: 'it shall end',
      data: z.object({ reason: text(2_000).optional() }),
    },
    'run.finished': { says: 'it has ended', by: 'verb', data: RunFinished },
  }) as const satisfies EventTypes;

export const RunBrief = z.object({
  id: z.string(),
  agent: z.string(),
  command: z.string().optional(),
  task: z.string().optional(),
  status: z.enum(RUN_STATUSES),
  /** Why it has not started, or for what it waits. */
  why: z.string().optional(),
  mode: z.string(),
  priority: z.int(),
  attempt: z.int().optional(),
  delivery_path: z.string().optional(),
  delivered_at: z.string().optional(),
  acked_at: z.string().optional(),
  paused_until: z.string().optional(),
  interrupt_requested: z.boolean().optional(),
  interrupt_reason: z.string().optional(),
  end_reason: z.string().optional(),
  error: z.string().optional(),
  result: z.string().optional(),
  tokens_in: z.int().optional(),
  tokens_out: z.int().optional(),
  /** What its agent has at work beside itself, by name. */
  subagents: z.array(z.string()).optional(),
  started_at: z.string().optional(),
  ended_at: z.string().optional(),
  duration_ms: z.int().optional(),
  /** Which step ended it; `stop` was told before `term` and `kill` were told apart. */
  ended_by: z.enum(['itself', 'interrupt', 'term', 'kill', 'stop']).optional(),
  /** How many reports of its runner the server refused. */
  not_recorded: z.int().optional(),
  created_at: z.string(),
});
export type RunBrief = z.infer<typeof RunBrief>;

export const Run = RunBrief.extend({ version: z.int() });
export type Run = z.infer<typeof Run>;

export function interruptRequested(run: string, data: { reason?: string | undefined }): NewEvent<Run> {
  return { stream: `run:${run}`, type: 'run.interrupt_requested', data, state: Run };
}
