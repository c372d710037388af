import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { append } from '../events/append.ts';
import { COMMAND_STATUSES, Command, CommandSent, commandCancelled, commandSent } from '../events/commands.ts';
import { newId } from '../events/ids.ts';
import { ProjectRef } from '../events/projects.ts';
import { interruptRequested, type Run, RunBrief } from '../events/runs.ts';
import { text } from '../text.ts';
import { AgentRef } from './agents.ts';
import { idListedBy } from './listed-id.ts';
import { page } from './pagination.ts';

export const Limits = z.strictObject({
  time_limit_ms: z.int().min(1).max(2_147_483_647).optional(),
  token_budget: z.int().min(1).max(1_000_000_000_000).optional(),
  memory_limit_mb: z.int().min(1).max(16_777_216).optional(),
  cpu_limit_percent: z.int().min(1).max(100_000).optional(),
  silence_limit_ms: z.int().min(1).max(2_147_483_647).optional().describe('Longest time without a sign of work.'),
});

export const SendCommand = z.strictObject({
  ...CommandSent.omit({ execution_constraints: true }).shape,
  limits: Limits.optional().describe('What ends the run; the smallest of all that apply counts.'),
});

/** Sends a command: each agent that it is for gets a run in its queue. */
export async function sendCommand(ctx: Context, { limits, ...data }: z.output<typeof SendCommand>): Promise<Command> {
  const { events } = await append(ctx, [
    commandSent(newId(), { ...data, ...(limits && { execution_constraints: limits }) }),
  ]);
  // Its runs come after it.
  return getCommand(ctx, { command: events[0].stream.slice('command:'.length) });
}

const CommandId = idListedBy('list_commands');

export const GetCommand = z.strictObject({ command: CommandId.optional().describe('Default: the latest.') });

export const getCommand = sqlFunction('get_command', Command);

export const CancelCommand = z.strictObject({ command: CommandId, reason: text(2_000).optional() });

/** Takes a command back: its runs that wait end, those that run are interrupted. */
export async function cancelCommand(
  ctx: Context,
  { command, reason }: z.output<typeof CancelCommand>,
): Promise<Command> {
  await append(ctx, [commandCancelled(command, { reason })]);
  return getCommand(ctx, { command });
}

export const ListCommands = z.strictObject({
  project: ProjectRef.optional().describe('Only those of this project. Default: all of the workspace.'),
  status: z.enum(COMMAND_STATUSES).optional(),
  ...page(20, 100),
});

export const CommandPage = z.object({ commands: z.array(Command), next_cursor: z.string().optional() });

export const listCommands = sqlFunction('list_commands', CommandPage);

export const ListRuns = z.strictObject({
  agent: AgentRef.optional(),
  open_only: z.boolean().default(false).describe('Only those that have not ended.'),
  ...page(20, 100),
});

export const RunPage = z.object({ runs: z.array(RunBrief), next_cursor: z.string().optional() });

export const listRuns = sqlFunction('list_runs', RunPage);

export const ListQueue = z.strictObject({
  agent: AgentRef.optional(),
  page_size: z.int().min(1).max(100).default(50),
});

export const Queue = z.object({ runs: z.array(RunBrief) });

export const listQueue = sqlFunction('list_queue', Queue);

export const InterruptRun = z.strictObject({ run: idListedBy('list_runs'), reason: text(2_000).optional() });

/** Asks the runner to end a run; what it has done stays. */
export async function interruptRun(ctx: Context, { run, reason }: z.output<typeof InterruptRun>): Promise<Run> {
  const { events } = await append(ctx, [interruptRequested(run, { reason })]);
  return events[0].state;
}
