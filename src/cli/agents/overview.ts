import type { Context } from '../../context.ts';
import type { Agent } from '../../events/agents.ts';
import { remainderLines } from '../tasks/needs.ts';
import { styled } from '../terminal/output.ts';
import { agentTable, runsOf, waitsForPerson } from './agents.ts';
import { type Contents, readAgents, readContents } from './reading.ts';

const SHOWN_MAX = 8;

export type AgentsAtAGlance = { agents: Agent[]; contents: Contents };

/** Reads the agents of the workspace for an overview: those that wait for a person first, then those that are stopped. */
export async function readAgentsAtAGlance(ctx: Context): Promise<AgentsAtAGlance> {
  const agents = (await readAgents(ctx)).sort((a, b) => urgency(a) - urgency(b));
  return { agents, contents: await readContents(ctx, runsOf(agents.slice(0, SHOWN_MAX))) };
}

export function agentsAtAGlance({ agents, contents }: AgentsAtAGlance): string[] {
  if (agents.length === 0) return [];
  const shown = agents.slice(0, SHOWN_MAX);
  return [
    styled('bold', 'Agents'),
    ...agentTable(shown, contents),
    ...remainderLines(agents.length - shown.length, '', 'cairn agents'),
  ];
}

function urgency({ running = [], stopped, state, queued }: Agent): number {
  if (running.some(waitsForPerson)) return 0;
  if (stopped !== undefined && (running.length > 0 || queued > 0)) return 1;
  if (state === 'lost' || state === 'error') return 2;
  if (running.length > 0) return 3;
  return state === 'online' ? 4 : 5;
}
