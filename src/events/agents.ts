import * as z from 'zod';
import { jsonObject, line, text } from '../text.ts';
import type { NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { ProjectRef } from './projects.ts';
import { RunBrief } from './runs.ts';

/** The ways of delivery there are, from the strongest. */
const DRIVERS = ['claude', 'codex', 'acp', 'pipe', 'pty', 'hook', 'pull', 'otlp'] as const;

const AgentConfigured = z.object({
  type: line(40),
  driver: z.enum(DRIVERS),
  host_machine: line(200).optional(),
  config: jsonObject(8_192).optional(),
});

const AgentName = line(60);

export const StopReason = text(300);

/** What a runner says of the agent that it drives. */
export const AgentRegistered = AgentConfigured.extend({ name: AgentName, project: ProjectRef.optional() });

/** @public */
export const agentEvents = () =>
  ({
    'agent.registered': {
      says: 'a runner drives an agent for the first time',
      creates: true,
      by: 'verb',
      data: AgentRegistered,
    },
    'agent.configured': { says: 'it is driven in another way', by: 'verb', data: AgentConfigured.partial() },
    'agent.renamed': { says: 'it has another name', data: z.object({ name: AgentName }) },
    'agent.paused': { says: 'it is stopped', data: z.object({ reason: StopReason.optional() }) },
    'agent.resumed': { says: 'it may go on', data: z.object({}) },
    'agent.retired': { says: 'it is needed no more', data: z.object({}) },
  }) as const satisfies EventTypes;

export const Agent = z.object({
  id: z.string(),
  name: z.string(),
  type: z.string(),
  driver: z.string(),
  host: z.string().optional(),
  project: z.string().optional(),
  state: z.enum(['online', 'connecting', 'offline', 'lost', 'error', 'retired']),
  seen_at: z.string().optional(),
  connected_at: z.string().optional(),
  paused_at: z.string().optional(),
  paused_by: z.string().optional(),
  pause_reason: z.string().optional(),
  stopped: z.string().optional(),
  modes: z.array(z.string()).optional(),
  accepts: z.string().optional(),
  /** What keeps it from being reached at any time. */
  reach: z.string().optional(),
  health: z.record(z.string(), z.unknown()).optional(),
  running: z.array(RunBrief).optional(),
  queued: z.int(),
  version: z.int(),
});
export type Agent = z.infer<typeof Agent>;

type Change = { change: 'paused' | 'resumed' | 'retired' | 'renamed' } & Record<string, unknown>;

export function agentChanged(agent: string, { change, ...data }: Change): NewEvent<Agent> {
  return { stream: `agent:${agent}`, type: `agent.${change}`, data, state: Agent };
}
