import type { Config } from '../../config.ts';
import { person } from '../../tools/person.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { type JsonOption, printResult } from '../terminal/output.ts';

/** `cairn output-quota MEGABYTES`: how much of what agents print a workspace keeps of a day. */
export async function runOutputQuota(config: Config, megabytes: number, options: JsonOption): Promise<void> {
  await inLocalContext(config, async (ctx) => {
    const done = await perform(ctx, person.set_output_quota, { megabytes });
    printResult(done, options, ({ megabytes: kept }) => [`A workspace keeps ${kept} MB of output a day.`]);
  });
}
