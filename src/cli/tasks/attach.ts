import type { Config } from '../../config.ts';
import { artifacts } from '../../tools/artifacts.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { taskRef } from './refs.ts';

export type AttachOptions = JsonOption & { summary?: string };

/** `cairn attach REF TYPE LINK`: adds an artifact to a task, such as a pull request or a report. */
export async function runAttach(
  config: Config,
  { task, type, link }: { task: string; type: string; link: string },
  options: AttachOptions,
): Promise<void> {
  await inLocalContext(config, async (ctx) => {
    const ref = await taskRef(ctx, task);
    const input = { task: ref, type, ref: link, summary: options.summary };
    const artifact = await perform(ctx, artifacts.commands.add_artifact, input);
    printResult(artifact, options, () => [`Attached ${styled('bold', artifact.type)} ${artifact.ref} to ${ref}.`]);
  });
}
