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
  if (given !== undefined && wanted === undefined)
    throw mistyped(`${given.slice(0, 40)} is neither on nor off.`, 'Like `cairn output-search on`.');
  await inLocalContext(config, async (ctx) => {
    const done = await perform(ctx, person.set_output_search, { enabled: wanted });
    printResult(done, options, ({ enabled }) => [
      enabled
        ? 'On: search finds the last that runs print, of those that end since it was switched on.'
        : 'Off: search finds nothing of what runs print. Switch it on: cairn output-search on',
    ]);
  });
}
