import type { Config } from '../../config.ts';
import { person } from '../../tools/person.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';

type Given = { model: string | undefined; amounts: number[] };
export type PricesOptions = JsonOption & { cached?: number; cacheWritten?: number; remove?: true };

/** `cairn prices`: what models cost; with a model, sets it. */
export async function runPrices(
  config: Config,
  { model, amounts }: Given,
  { cached, cacheWritten, remove, ...options }: PricesOptions,
): Promise<void> {
  if (model === undefined) return listPrices(config, options);
  const [price_in, price_out] = amounts;
  if (amounts.length !== (remove ? 0 : 2)) {
    throw mistyped('A price has two amounts, in and out.', 'Like `cairn prices gpt-5.5 1.25 10`, or `--remove`.');
  }
  const price = remove ? {} : { price_in, price_out, price_cached: cached, price_cache_written: cacheWritten };
  const done = await inLocalContext(config, (ctx) => perform(ctx, person.set_model_price, { model, ...price }));
  printResult(done, options, ({ model: name, removed, price_in: dear, price_out: out }) => [
    removed
      ? `${name} has no price any more.`
      : `${name} costs $${dear} for a million tokens in and $${out} out. What was used before keeps what it cost.`,
  ]);
}

async function listPrices(config: Config, options: JsonOption): Promise<void> {
  const found = await inLocalContext(config, (ctx) => perform(ctx, person.list_model_prices, {}));
  printResult(found, options, ({ prices }) => [
    ...table(prices, [
      { heading: 'MODEL', text: ({ model }) => model, style: (text) => styled('bold', text), flexible: true },
      { heading: 'IN', text: ({ price_in }) => `$${price_in}` },
      { heading: 'OUT', text: ({ price_out }) => `$${price_out}` },
      { heading: 'CACHE READ', text: ({ price_cached }) => `$${price_cached}` },
      { heading: 'CACHE WRITTEN', text: ({ price_cache_written }) => `$${price_cache_written}` },
      { heading: 'SET BY', text: ({ updated_by }) => updated_by, spare: 1 },
      // Those that Cairn came with were set by nobody here.
      { heading: 'SINCE', text: (price) => (price.updated_by === 'cairn' ? '' : fromNow(price.updated_at)), spare: 0 },
    ]),
    '',
    'Dollars for a million tokens of these models, their versions and previews.',
  ]);
}
