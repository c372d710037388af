import { type Command, InvalidArgumentError } from 'commander';
import { command, examples, JSON_OPTION, upTo } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { OutputOptions } from './output.ts';

export function addOutputCommand(program: Command): void {
  program
    .command('output <run>')
    .description('print what a run printed; a run is named by its id or the end of it, or by its agent')
    .option('-f, --follow', 'go on until the run has ended, from its last 256 KB on')
    .option('--all', 'with --follow, from the beginning')
    .option('--tail', 'only the last 256 KB')
    .option('--attempt <number>', 'that attempt alone, not the latest', attempt)
    .option('--no-color', 'print without colours')
    .option(JSON_OPTION[0], 'print each piece as a line of JSON, as it was stored')
    .addHelpText(
      'after',
      examples(
        'cairn output claude-1',
        'cairn output 3f2a91c0 --follow',
        'cairn output claude-1 --json',
        'cairn search timeout --kind output',
      ),
    )
    .action(
      command(async (config, run: string, options: OutputOptions) =>
        (await import('./output.ts')).runOutput(config, run, options),
      ),
    );
  program
    .command('output-quota')
    .argument('<megabytes>', 'of each workspace', upTo(999_999_999))
    .description('set how much output a workspace keeps of a day; only where the server runs')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn output-quota 5000', 'cairn output claude-1'))
    .action(
      command(async (config, megabytes: number, options: JsonOption) =>
        (await import('./quota.ts')).runOutputQuota(config, megabytes, options),
      ),
    );
  program
    .command('output-search')
    .argument('[wanted]', 'on or off; without it, how it is')
    .description('let the search of the workspace find the last that runs printed; off by default')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples('cairn output-search on', 'cairn search timeout --kind output', 'cairn output claude-1'),
    )
    .action(
      command(async (config, wanted: string | undefined, options: JsonOption) =>
        (await import('./searched.ts')).runOutputSearch(config, wanted, options),
      ),
    );
}

function attempt(given: string): number {
  if (/^[1-9]\d{0,2}$/.test(given)) return Number(given);
  throw new InvalidArgumentError('It must be a number like 1.');
}
