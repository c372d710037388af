import type { Config } from '../../config.ts';
import { person } from '../../tools/person.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { type JsonOption, printResult } from '../terminal/output.ts';

/** `cairn agents limit [NUMBER]`: how many agents of the workspace runners drive at once, at most. */
export async function runAgentsLimit(config: Config, given: string | undefined, options: JsonOption): Promise<void> {
  if (given !== undefined && !/^[1-9]\d{0,4}$/.test(given)) throw mistyped('NUMBER is a number.', 'Like 100.');
  await inLocalContext(config, async (ctx) => {
    const wanted = given === undefined ? undefined : Number(given);
    const done = await perform(ctx, person.set_agents_max, { agents_max: wanted });
    printResult(done, options, ({ agents_max, driven }) => [
      `Runners drive ${driven} of at most ${agents_max} agents of this workspace.`,
    ]);
  });
}
