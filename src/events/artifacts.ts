import * as z from 'zod';
import { line, ref, text } from '../text.ts';
import type { Expectation, NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { newId } from './ids.ts';
import { ProjectRef } from './projects.ts';
import { TaskRef } from './tasks.ts';

export const ArtifactAdded = z.object({
  type: z.enum(['diff', 'pr', 'test_report', 'document', 'other']),
  ref: line(2_000).describe('URL, commit or path.'),
  summary: text(4_000).optional(),
  files: z.array(line(500)).max(500).optional().describe('Paths that a diff changes.'),
  lines_changed: z.int().min(0).max(999_999_999).optional(),
});

/** Where its content is kept, if Cairn keeps it: in a store of blobs, under its hash. */
const Stored = z.object({
  storage_key: line(1_000).optional(),
  sha256: line(64).optional(),
  size_bytes: z.int().min(0).max(999_999_999).optional(),
  media_type: line(200).optional(),
});

/** @public */
export const artifactEvents = () =>
  ({
    'artifact.added': {
      says: 'work on a task, or a run, produced something',
      creates: true,
      data: z.object({
        task: TaskRef.optional(),
        run: ref().optional(),
        project: ProjectRef.optional(),
        ...ArtifactAdded.shape,
        ...Stored.shape,
      }),
    },
  }) as const satisfies EventTypes;

export const Artifact = z.object({
  id: z.string(),
  task: z.string().optional(),
  run: z.string().optional(),
  type: z.string(),
  ref: z.string(),
  summary: z.string().optional(),
  tier: z.enum(['reported', 'observed', 'ci']),
  files: z.array(z.string()).optional(),
  lines_changed: z.int().optional(),
  size_bytes: z.int().optional(),
  media_type: z.string().optional(),
  by: z.string(),
  created_at: z.string(),
});
export type Artifact = z.infer<typeof Artifact>;

export function artifactAdded(
  task: string,
  data: z.infer<typeof ArtifactAdded>,
  expect: Expectation,
): NewEvent<Artifact> {
  return { stream: `artifact:${newId()}`, type: 'artifact.added', data: { ...data, task }, expect, state: Artifact };
}
