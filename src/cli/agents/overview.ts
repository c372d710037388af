import type { Context } from '../../context.ts';
import type { Agent } from '../../events/agents.ts';
import type { Approval } from '../../events/approvals.ts';
import { approvalTable, nextLines, readPending } from '../approvals/approvals.ts';
import { remainderLines } from '../tasks/needs.ts';
import { styled } from '../terminal/output.ts';
import { agentTable, runsOf, waitsForPerson } from './agents.ts';
import { type Contents, readAgents, readContents } from './reading.ts';

const SHOWN_MAX = 8;

export type AgentsAtAGlance = { agents: Agent[]; contents: Contents; approvals: Approval[] };

/** Reads the agents of the workspace for an overview: those that wait for a person first, then those that are stopped. */
export async function readAgentsAtAGlance(ctx: Context): Promise<AgentsAtAGlance> {
  const [known, approvals] = await Promise.all([readAgents(ctx), readPending(ctx)]);
  const agents = known.sort((a, b) => urgency(a) - urgency(b));
  return { agents, approvals, contents: await readContents(ctx, runsOf(agents.slice(0, SHOWN_MAX))) };
}

export function agentsAtAGlance({ agents, contents, approvals }: AgentsAtAGlance): string[] {
  return [...approvalsFirst(approvals), ...agentLines(agents, contents)];
}

function approvalsFirst(approvals: readonly Approval[]): string[] {
  if (approvals.length === 0) return [];
  const shown = approvals.slice(0, SHOWN_MAX);
  return [
    styled(['bold', 'yellow'], 'Agents ask you'),
    ...approvalTable(shown),
    ...remainderLines(approvals.length - shown.length, '', 'cairn approvals'),
    ...nextLines(shown),
  ];
}

function agentLines(agents: readonly Agent[], contents: Contents): string[] {
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
