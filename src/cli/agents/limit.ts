import type { Config } from '../../config.ts';
import { person } from '../../tools/person.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { type JsonOption, printResult } from '../terminal/output.ts';

/** `cairn agents limit [NUMBER]`: how many agents of the workspace runners drive at once, at most. */
export async function runAgentsLimit(config: Config, wanted: number | undefined, options: JsonOption): Promise<void> {
  await inLocalContext(config, async (ctx) => {
    const done = await perform(ctx, person.set_agents_max, { agents_max: wanted });
    printResult(done, options, ({ agents_max, driven }) => [
      `Runners drive ${driven} of at most ${agents_max} agents of this workspace.`,
    ]);
  });
}
