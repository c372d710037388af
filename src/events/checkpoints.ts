import * as z from 'zod';
import { jsonObject, line, said, text } from '../text.ts';
import type { NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { newId } from './ids.ts';
import { ProjectRef } from './projects.ts';

export const CheckpointSaved = z.object({
  label: line(200),
  summary: said(10_000).describe('Where the work stands.'),
  resume_instructions: text(10_000).optional().describe('What to do first, and what to beware of.'),
  repo_ref: line(500).optional().describe('Branch and commit.'),
  snapshot: jsonObject(65_536).optional().describe('Anything else worth keeping; task counts and locks are added.'),
});

/** @public */
export const checkpointEvents = () =>
  ({
    'checkpoint.saved': {
      says: 'where to resume',
      creates: true,
      data: CheckpointSaved.extend({ project: ProjectRef.optional() }),
    },
  }) as const satisfies EventTypes;

export const CheckpointBrief = z.object({
  id: z.string(),
  label: z.string(),
  repo_ref: z.string().optional(),
  position: z.int(),
  by: z.string(),
  created_at: z.string(),
});

export const Checkpoint = CheckpointBrief.extend({
  // The answer is made before the checkpoint's position is known.
  position: z.int().optional(),
  project: z.string(),
  summary: z.string(),
  resume_instructions: z.string().optional(),
  snapshot: z.record(z.string(), z.unknown()).optional(),
});
export type Checkpoint = z.infer<typeof Checkpoint>;

export function checkpointSaved(
  project: string | undefined,
  data: z.infer<typeof CheckpointSaved>,
): NewEvent<Checkpoint> {
  return { stream: `checkpoint:${newId()}`, type: 'checkpoint.saved', data: { ...data, project }, state: Checkpoint };
}
