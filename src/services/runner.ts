import * as z from 'zod';
import { sqlFunction } from '../db/sql-function.ts';
import { Agent, AgentRegistered } from '../events/agents.ts';
import { Run } from '../events/runs.ts';
import { line } from '../text.ts';
import { Limits } from './commands.ts';

const Token = z.int().min(1);
const AgentNamed = z.string().min(1).max(120);
const RunId = z.string().max(40);
/** Of runs in one beat, and of questions that wait in one run. */
export const HELD_MAX = 100;
export const ASKS_MAX = 100;
/** More digits are not taken for a count. */
export const TOKENS_MAX = 999_999_999_999_999;
export const SUBAGENTS_MAX = 20;
export const SUBAGENT_CHARACTERS_MAX = 120;
export const Registered = z.object({ agent: Agent, token: z.int() });

export const RegisterAgent = z.strictObject({ agent: AgentRegistered, token: Token.optional() });
export type RegisterAgent = z.infer<typeof RegisterAgent>;

/** Says what a runner drives. Its token goes with all that it says later. Raises lock_held, already_exists, rate_limited. */
export const registerAgent = sqlFunction('register_agent', Registered);

export const Held = z.strictObject({
  run: RunId,
  lock_token: Token,
  tokens_in: z.int().min(0).max(TOKENS_MAX).optional(),
  tokens_out: z.int().min(0).max(TOKENS_MAX).optional(),
  /** Ids of questions that wait for an answer. */
  asks: z.array(z.string()).max(ASKS_MAX).optional(),
  /** Sub-agents and background work of its agent, by name. */
  subagents: z.array(line(SUBAGENT_CHARACTERS_MAX)).max(SUBAGENTS_MAX).optional(),
});

export type Held = z.infer<typeof Held>;

export const Beat = z.strictObject({
  status: z.enum(['online', 'error']).optional(),
  /** cpu_usage (%), memory_usage (MB), uptime (s). */
  health: z.record(z.string(), z.number()).optional(),
  runs: z.array(Held).max(HELD_MAX),
  leaving: z.boolean().optional(),
});
export type Beat = z.infer<typeof Beat>;

export const BeatAgent = z.strictObject({ agent: AgentNamed, token: Token, beat: Beat });

/** What became of a question that a runner asked for a run. */
const Answered = z.object({
  ask: z.string(),
  decision: z.enum(['approved', 'denied', 'expired', 'withdrawn']),
  answer: z.string().optional(),
  note: z.string().optional(),
  by: z.string().optional(),
});
export type Answered = z.infer<typeof Answered>;

export const Control = z.object({
  /** Why nothing may run now. */
  stopped: z.string().optional(),
  runs: z.array(
    z.object({
      run: z.string(),
      state: z.enum(['mine', 'interrupt', 'lost']),
      reason: z.string().optional(),
      answers: z.array(Answered).optional(),
    }),
  ),
  /** A claim would start a run, or settle one that the runner does not have. */
  queued: z.boolean(),
});
export type Control = z.infer<typeof Control>;

export const AskControl = z.strictObject({
  agent: AgentNamed,
  held: z.array(Held).max(HELD_MAX),
  /** What the runner was answered last. */
  seen: Control.optional(),
});

/** A sign of life, and what the runner must know. Raises lock_lost. */
export const beatAgent = sqlFunction('beat_agent', Control);

/** The same without a sign of life: `waitForControl` asks it until there is news. */
export const getControl = sqlFunction('get_control', Control);

const Order = z.object({
  id: z.string(),
  content: z.string(),
  type: z.string(),
  sent_by: z.string(),
  by_person: z.boolean(),
  repeatable: z.boolean(),
  /** It goes on by itself when its provider's limit is over. */
  resumes: z.boolean(),
  limits: Limits.partial(),
});

/** A run that was claimed, with all that whoever delivers it needs. */
export const Started = z.object({
  run: Run,
  lock_token: z.int(),
  /** How it is delivered: an agent that cannot steer or interrupt takes it as a turn. */
  deliver: z.enum(['turn', 'steer', 'interrupt']),
  command: Order,
  /** Its project keeps what was said, beside what was done. */
  keeps_content: z.literal(true).optional(),
});

export const Claimed = z.union([Started, z.object({ nothing: z.string() })]);
export type Claimed = z.infer<typeof Claimed>;

export const ClaimRun = z.strictObject({ agent: AgentNamed, token: Token, holding: z.array(RunId).max(HELD_MAX) });

/** Claims the next run of an agent. The runner names those that it has: others of this agent are lost. */
export const claimRun = sqlFunction('claim_run', Claimed);

export const ReportRun = z.strictObject({
  run: RunId,
  lock_token: Token,
  events: z.array(z.strictObject({ type: z.string(), data: z.record(z.string(), z.unknown()).optional() })),
});

/** Records what the runner saw of a run. A repeat of its end changes nothing. Raises lock_lost. */
export const reportRun = sqlFunction('report_run', Run);
