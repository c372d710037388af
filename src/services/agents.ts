import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { Agent, agentChanged, StopReason } from '../events/agents.ts';
import { append } from '../events/append.ts';
import { line } from '../text.ts';
import { page } from './pagination.ts';

/** An agent as a caller names it. */
export const AgentRef = line(80).describe('Name or id, as list_agents shows it.');

export const ListAgents = z.strictObject({
  include_retired: z.boolean().default(false).describe('Also those that are needed no more.'),
  ...page(20, 100),
});

export const AgentPage = z.object({ agents: z.array(Agent), next_cursor: z.string().optional() });

export const listAgents = sqlFunction('list_agents', AgentPage);

export const StopAgents = z.strictObject({
  reach: z
    .enum(['workspace', 'installation'])
    .default('workspace')
    .describe('All agents of the workspace, or of the whole server (only for whoever runs it).'),
  stopped: z.boolean().default(true).describe('false lets them go on, which only a person does.'),
  reason: StopReason.optional(),
});

export const Stop = z.object({
  reach: z.string(),
  stopped: z.boolean(),
  running: z.int(),
  /** Why nothing starts yet, where another stop is taken back. */
  still: z.string().optional(),
});

/** The emergency stop: nothing new starts, what runs is interrupted, what is queued waits. */
export const stopAgents = sqlFunction('stop_agents', Stop);

export const SetAgentsMax = z.strictObject({ agents_max: z.int().min(1).max(10_000).optional() });

/** How many agents the workspace lets runners drive at once; without a value it only answers. */
export const setAgentsMax = sqlFunction('set_agents_max', z.object({ agents_max: z.int(), driven: z.int() }));

export const ChangeAgent = z.strictObject({
  agent: AgentRef,
  change: z.enum(['stop', 'go_on', 'retire', 'rename']),
  name: line(60).optional().describe('Its new name, to rename it.'),
  reason: StopReason.optional().describe('Why it is stopped.'),
});

/** Shows an agent with what its runs tell of its health. */
export const getAgent = sqlFunction('get_agent', Agent);

/** Stops one agent, lets it go on, renames or retires it. */
export async function changeAgent(
  ctx: Context,
  { agent, change, name, reason }: z.output<typeof ChangeAgent>,
): Promise<Agent> {
  const { id } = await getAgent(ctx, { agent });
  const changed = {
    stop: { change: 'paused', reason },
    go_on: { change: 'resumed' },
    retire: { change: 'retired' },
    rename: { change: 'renamed', name },
  } as const;
  const { events } = await append(ctx, [agentChanged(id, changed[change])]);
  return events[0].state;
}
