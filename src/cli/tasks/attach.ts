import type { Config } from '../../config.ts';
import { AddArtifact, addArtifact } from '../../services/artifacts.ts';
import { asPerson, parseGiven } from '../local-context.ts';
import { answer, type JsonOption, paint } from '../terminal/output.ts';
import { taskRef } from './refs.ts';

export type AttachOptions = JsonOption & { summary?: string };

/** `cairn attach REF TYPE LINK`: adds an artifact to a task, as a pull request or a report. */
export async function runAttach(
  config: Config,
  { task, type, link }: { task: string; type: string; link: string },
  options: AttachOptions,
): Promise<void> {
  await asPerson(config, async (ctx) => {
    const ref = await taskRef(ctx, task);
    const input = { task: ref, type, ref: link, summary: options.summary };
    const artifact = await addArtifact(ctx, parseGiven(AddArtifact, input));
    answer(artifact, options, () => [`Attached ${paint('bold', artifact.type)} ${artifact.ref} to ${ref}.`]);
  });
}
