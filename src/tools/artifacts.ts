import type * as z from 'zod';
import { Artifact } from '../events/artifacts.ts';
import { named, quote } from '../quote.ts';
import { AddArtifact, ArtifactPage, addArtifact, ListArtifacts, listArtifacts } from '../services/artifacts.ts';
import { lines, nextPage, time } from './render.ts';
import { tasks } from './tasks.ts';
import { toolset } from './tool.ts';

export const artifacts = toolset(
  'artifacts',
  {
    purpose: 'diffs, pull requests, test reports',
    description: 'What work on a task produced, and the evidence for its criteria.',
    scopes: tasks.scopes,
  },
  {
    add_artifact: {
      title: 'Add an artifact',
      description: 'Attach to a task what work on it produced. Keep the id as evidence for complete_task.',
      effect: 'write',
      input: AddArtifact,
      output: Artifact,
      run: addArtifact,
      render: (artifact) => `Added ${artifactLine(artifact)}`,
    },
    list_artifacts: {
      title: 'List artifacts',
      description: 'List the artifacts of a task, newest first.',
      effect: 'read',
      input: ListArtifacts,
      output: ArtifactPage,
      run: listArtifacts,
      render: ({ artifacts: found, next_cursor }) =>
        found.length === 0 ? 'No artifacts yet.' : lines(found.map(artifactLine), nextPage(next_cursor)),
    },
  },
);

function artifactLine({ type, ref, task, tier, by, created_at, id, summary }: z.infer<typeof Artifact>): string {
  const said = summary === undefined ? '' : `: ${quote(summary)}`;
  return `${type} ${quote(ref)} for ${task}, ${tier}, by ${named(by)}, ${time(created_at)} (id ${id})${said}`;
}
