import * as z from 'zod';
import { line, text } from '../text.ts';
import type { NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { newId } from './ids.ts';
import { ProjectRef } from './projects.ts';

const LIMIT_MAX = 999_999_999;

// Zero takes a limit away.
const Limit = z.int().min(0).max(LIMIT_MAX).optional();

export const ProfileChanged = z.object({
  description: text(2_000).optional(),
  time_limit_ms: Limit.describe('How long a command may run.'),
  token_budget: Limit.describe('How many tokens it may use.'),
  memory_limit_mb: Limit,
  cpu_limit_percent: Limit.describe('100 is one processor.'),
  silence_limit_ms: Limit.describe('How long it may show no sign of work.'),
  is_default: z
    .boolean()
    .optional()
    .describe('Counts for commands that name no profile; the former default no more. A person decides it.'),
});

export const ProfileName = line(100);

/** @public */
export const profileEvents = () =>
  ({
    'profile.saved': {
      says: 'limits for commands, under a name',
      creates: true,
      data: ProfileChanged.extend({ name: ProfileName, project: ProjectRef.optional() }),
    },
    'profile.changed': { says: 'the named limits of it changed', data: ProfileChanged },
    'profile.removed': { says: 'no command takes it any more', data: z.object({}) },
  }) as const satisfies EventTypes;

export const Profile = z.object({
  id: z.string(),
  project: z.string().optional(),
  name: z.string(),
  description: z.string().optional(),
  time_limit_ms: z.int().optional(),
  token_budget: z.int().optional(),
  memory_limit_mb: z.int().optional(),
  cpu_limit_percent: z.int().optional(),
  silence_limit_ms: z.int().optional(),
  is_default: z.boolean(),
  removed_at: z.string().optional(),
  created_at: z.string(),
  updated_at: z.string(),
});
export type Profile = z.infer<typeof Profile>;

type ProfileData = z.infer<typeof ProfileChanged>;

export function profileSaved(
  about: { name: string; project?: string | undefined },
  data: ProfileData,
): NewEvent<Profile> {
  return { stream: `profile:${newId()}`, type: 'profile.saved', data: { ...data, ...about }, state: Profile };
}

export function profileChanged(profile: string, data: ProfileData): NewEvent<Profile> {
  return { stream: `profile:${profile}`, type: 'profile.changed', data, state: Profile };
}

export function profileRemoved(profile: string): NewEvent<Profile> {
  return { stream: `profile:${profile}`, type: 'profile.removed', data: {}, state: Profile };
}
