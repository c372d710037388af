import * as z from 'zod';
import { FIELD_CHECKS, line, ref, said } from '../text.ts';
import type { NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { newId } from './ids.ts';
import { ProjectRef } from './projects.ts';
import { TaskRef } from './tasks.ts';

export const MEMORY_SCOPES = ['run', 'agent', 'project', 'workspace'] as const;
export const MEMORY_KINDS = ['fact', 'preference', 'procedure', 'hypothesis'] as const;
const STATUSES = ['noted', 'proposed', 'approved', 'declined', 'forgotten'] as const;

const TTL_SECONDS_MAX = 315_360_000;

const Confidence = z
  .number()
  .min(0)
  .max(1)
  .refine((share) => share === 0 || share >= 1e-15, 'must be zero, or from 10^-15')
  .register(FIELD_CHECKS, { kind: 'fraction' });

export const MemoryNoted = z.object({
  key: line(200).describe('Its name, like deploy-port: a later memory of this key supersedes it.'),
  text: said(2_000).describe('What to remember, in a sentence or two.'),
  kind: z.enum(MEMORY_KINDS).optional().describe('Default: fact.'),
  confidence: Confidence.optional().describe('From 0 to 1. Default: 0.8; of a hypothesis 0.5.'),
  ttl_seconds: z.int().min(1).max(TTL_SECONDS_MAX).optional().describe('After that it is not given any more.'),
  source: z.int().min(1).max(999_999_999).optional().describe('The event that it is from: its number in list_events.'),
  task: TaskRef.optional().describe('That it is about: it comes first for who works on it.'),
});

const Remembered = MemoryNoted.extend({
  scope: z.enum(MEMORY_SCOPES),
  run: ref().optional(),
  project: ProjectRef.optional(),
});

/** @public */
export const memoryEvents = () =>
  ({
    'memory.remembered': {
      says: 'an agent notes something for later',
      creates: true,
      data: Remembered,
      added: z.object({ agent_id: ref(), source_event_id: ref(), status: z.enum(['noted', 'proposed']) }),
    },
    'memory.superseded': { says: 'a later one of its key is there', by: 'door', data: z.object({ by: ref() }) },
    'memory.restored': { says: 'what superseded it was forgotten', by: 'door', data: z.object({}) },
    'memory.approved': { says: 'a person says that it may be given', by: 'verb', data: z.object({}) },
    'memory.declined': { says: 'a person says that it may not be given', by: 'verb', data: z.object({}) },
    'memory.forgotten': { says: 'a person takes it back', by: 'verb', data: z.object({}) },
  }) as const satisfies EventTypes;

const Earlier = z.object({ id: z.string(), text: z.string(), noted_by: z.string(), age_days: z.int() });

export const Memory = z.object({
  id: z.string(),
  scope: z.enum(MEMORY_SCOPES),
  kind: z.enum(MEMORY_KINDS),
  key: z.string(),
  text: z.string(),
  confidence: z.number(),
  /** Whoever noted it: the name of an agent, which is its own claim. */
  noted_by: z.string(),
  age_days: z.int(),
  run: z.string().optional(),
  project: z.string().optional(),
  task: z.string().optional(),
  /** The number of the event that it is from. */
  source: z.int().optional(),
  status: z.enum(STATUSES),
  decided_by: z.string().optional(),
  is_expired: z.boolean().optional(),
  superseded_by: z.string().optional(),
  /** The latest that it supersedes. */
  supersedes: Earlier.optional(),
  expires_at: z.string().optional(),
  created_at: z.string(),
});
export type Memory = z.infer<typeof Memory>;

export function memoryRemembered(data: z.infer<typeof Remembered>): NewEvent<Memory> {
  return { stream: `memory:${newId()}`, type: 'memory.remembered', data, state: Memory };
}
