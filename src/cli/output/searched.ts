import type { Config } from '../../config.ts';
import { person } from '../../tools/person.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { type JsonOption, printResult } from '../terminal/output.ts';

const WANTED = new Map([
  ['on', true],
  ['off', false],
]);

/** `cairn output-search [on|off]`: whether the search of the workspace finds what runs printed. */
export async function runOutputSearch(config: Config, given: string | undefined, options: JsonOption): Promise<void> {
  const wanted = given === undefined ? undefined : WANTED.get(given);
  if (given !== undefined && wanted === undefined) throw mistyped('It is on or off.', 'cairn output-search on');
  await inLocalContext(config, async (ctx) => {
    const done = await perform(ctx, person.set_output_search, { enabled: wanted });
    printResult(done, options, ({ enabled }) => [
      enabled
        ? 'Search finds the last that runs print, of those that end from now on.'
        : 'Search finds nothing of what runs print.',
    ]);
  });
}
