import type { Config } from '../../config.ts';
import { person } from '../../tools/person.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { type JsonOption, printResult } from '../terminal/output.ts';

/** `cairn output-quota MEGABYTES`: how much of what agents print a workspace keeps of a day. */
export async function runOutputQuota(config: Config, given: string, options: JsonOption): Promise<void> {
  if (!/^[1-9]\d{0,8}$/.test(given)) throw mistyped('MEGABYTES is a number.', 'Like 5000.');
  await inLocalContext(config, async (ctx) => {
    const done = await perform(ctx, person.set_output_quota, { megabytes: Number(given) });
    printResult(done, options, ({ megabytes }) => [`A workspace keeps ${megabytes} MB of output a day.`]);
  });
}
