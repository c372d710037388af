import { type Command, InvalidArgumentError, Option } from 'commander';
import { GROUPS } from '../../services/costs.ts';
import { command, examples, JSON_OPTION, limit, numeric } from '../command.ts';
import type { CostsOptions } from './costs.ts';
import type { PricesOptions } from './prices.ts';
import type { TraceOptions } from './trace.ts';

export function addTraceCommands(program: Command): void {
  program
    .command('trace <run>')
    .description('print what a run did as a tree: requests to models, calls of tools, with times, tokens and money')
    .option('-f, --follow', 'go on until the run has ended: each step as it comes')
    .option('--content', 'with what was said, where its project keeps that')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn trace claude-1', 'cairn trace 3f2a91c0 --follow'))
    .action(
      command(async (config, run: string, options: TraceOptions) =>
        (await import('./trace.ts')).runTrace(config, run, options),
      ),
    );
  program
    .command('costs')
    .description('add up what runs used, and what that costs at list prices')
    .addOption(new Option('--by <what>', 'what to add up by').choices(GROUPS).default('agent'))
    .option('--since <day>', 'from this day of UTC on; by default the last 30 days', day)
    .option('--until <day>', 'up to this day', day)
    .option('--agent <name>', 'of this agent alone')
    .option('--limit <number>', 'how many rows, the dearest first', limit, 20)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn costs', 'cairn costs --by day --since 2026-12-01', 'cairn costs --by task'))
    .action(command(async (config, options: CostsOptions) => (await import('./costs.ts')).runCosts(config, options)));
  program
    .command('prices')
    .argument('[model]', 'its name, whoever provides it')
    .argument('[dollars...]', 'for a million tokens in, and out', amounts, [])
    .description('list what models cost, or set it; set only where the server runs')
    .option('--cached <dollars>', 'what is read from a cache; by default as what comes in', numeric)
    .option('--cache-written <dollars>', 'what is written to a cache; by default as what comes in', numeric)
    .option('--remove', 'remove the price of that model')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples('cairn prices', 'cairn prices gpt-5.5 1.25 10 --cached 0.125', 'cairn prices gpt-5.5 --remove'),
    )
    .action(
      command(async (config, ...[model, given, options]: [string | undefined, number[], PricesOptions]) =>
        (await import('./prices.ts')).runPrices(config, { model, amounts: given }, options),
      ),
    );
}

function day(given: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(given) && !Number.isNaN(Date.parse(given))) return given;
  throw new InvalidArgumentError('It must be a day like 2026-12-31.');
}

function amounts(given: string, before: number[]): number[] {
  return [...before, numeric(given)];
}
