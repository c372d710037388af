import * as z from 'zod';
import type { Context } from '../context.ts';
import { sqlFunction } from '../db/sql-function.ts';
import { append } from '../events/append.ts';
import { Artifact, ArtifactAdded, artifactAdded } from '../events/artifacts.ts';
import { LockToken, TaskRef } from '../events/tasks.ts';
import { page } from './pagination.ts';

export const AddArtifact = z.strictObject({
  task: TaskRef,
  lock_token: LockToken.optional(),
  ...ArtifactAdded.shape,
});

/** Attaches a product of work on a task. Checks a diff against the task's scope. */
export async function addArtifact(
  ctx: Context,
  { task, lock_token, ...data }: z.output<typeof AddArtifact>,
): Promise<Artifact> {
  const { events } = await append(ctx, [artifactAdded(task, data, { lock_token })]);
  return events[0].state;
}

export const ListArtifacts = z.strictObject({ task: TaskRef, ...page(20, 100) });

export const ArtifactPage = z.object({ artifacts: z.array(Artifact), next_cursor: z.string().optional() });

export const listArtifacts = sqlFunction('list_artifacts', ArtifactPage);
