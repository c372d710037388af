import * as z from 'zod';
import { jsonObject, line, ref, said, text } from '../text.ts';
import type { NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { ProjectRef } from './projects.ts';
import { RunBrief } from './runs.ts';

export const COMMAND_TYPES = ['natural', 'investigate', 'review', 'plan', 'synthesize'] as const;
export const COMMAND_MODES = ['turn', 'steer', 'interrupt'] as const;
export const COMMAND_STATUSES = ['pending', 'queued', 'executing', 'completed', 'failed', 'cancelled'] as const;

export const COMMAND_CHARACTERS_MAX = 16_000;
const TTL_SECONDS_MAX = 2_592_000;

export const CommandSent = z.object({
  to: z.array(line(80)).max(100).optional().describe('Names or ids of agents, type:claude, or all.'),
  content: said(COMMAND_CHARACTERS_MAX).optional().describe('What they shall do, in words; or preset.'),
  preset: ref().optional().describe('Name of a preset.'),
  values: jsonObject(8_192).optional().describe("Of the preset's variables, by name."),
  type: z.enum(COMMAND_TYPES).optional(),
  mode: z
    .enum(COMMAND_MODES)
    .optional()
    .describe('turn: when it is idle; steer: at its next step; interrupt: end its turn first.'),
  priority: z.int().min(0).max(100).optional().describe('Higher is sooner. Default 50.'),
  profile: ref().optional().describe('Name of a profile of limits. Default: the default one.'),
  execution_constraints: jsonObject(2_000).optional(),
  ttl_seconds: z
    .int()
    .min(1)
    .max(TTL_SECONDS_MAX)
    .optional()
    .describe('Not started by then, it expires. Default a day.'),
  repeatable: z.boolean().optional().describe('It may be done again if the runner ends in the middle.'),
  resumes: z
    .boolean()
    .optional()
    .describe("Whether it goes on by itself after its provider's usage limit. Default true."),
  task: ref().optional().describe('Assigns this task: its claim is that of the run.'),
  project: ProjectRef.optional(),
});

const Reason = z.object({ reason: text(2_000).optional() });

/** @public */
export const commandEvents = () =>
  ({
    'command.sent': {
      says: 'agents are asked to do something',
      creates: true,
      data: CommandSent,
      added: z.object({
        target_agents: z.array(ref()).max(100),
        broadcast: z.boolean(),
        sent_by: line(120),
        by_person: z.boolean(),
      }),
    },
    'command.started': { says: 'the first of its agents has begun', by: 'door', data: z.object({}) },
    'command.completed': { says: 'its agents have done it', by: 'door', data: z.object({}) },
    'command.failed': {
      says: 'one of its agents has not done it',
      by: 'door',
      data: z.object({ error: text(2_000).optional() }),
    },
    'command.cancelled': { says: 'it is taken back', data: Reason },
  }) as const satisfies EventTypes;

export const Command = z.object({
  id: z.string(),
  content: z.string(),
  type: z.enum(COMMAND_TYPES),
  mode: z.enum(COMMAND_MODES),
  status: z.enum(COMMAND_STATUSES),
  priority: z.int(),
  project: z.string().optional(),
  task: z.string().optional(),
  sent_by: z.string(),
  by_person: z.boolean(),
  limits: z.record(z.string(), z.number()).optional(),
  expires_at: z.string(),
  created_at: z.string(),
  started_at: z.string().optional(),
  completed_at: z.string().optional(),
  error: z.string().optional(),
  /** The latest complete one on it, or else the latest. */
  report: z.string().optional(),
  runs: z.array(RunBrief).optional(),
});
export type Command = z.infer<typeof Command>;

export function commandSent(command: string, data: z.output<typeof CommandSent>): NewEvent<Command> {
  return { stream: `command:${command}`, type: 'command.sent', data, state: Command };
}

export function commandCancelled(command: string, data: { reason?: string | undefined }): NewEvent<Command> {
  return { stream: `command:${command}`, type: 'command.cancelled', data, state: Command };
}
