import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Preset } from '../../events/presets.ts';
import { command, duration, examples, JSON_OPTION, repeated } from '../command.ts';
import type { ExportOptions, ListOptions, RemoveOptions, SavePresetOptions } from './presets.ts';
import type { SaveProfileOptions } from './profiles.ts';

const SECOND_MS = 1_000;
const NONE = 'none';
const TYPES = ['natural', 'investigate', 'review', 'plan', 'synthesize'] as const satisfies readonly Preset['type'][];

const loadPresets = () => import('./presets.ts');
const loadProfiles = () => import('./profiles.ts');

/** The options of a list, and a project only if it was typed: without one, nobody expects to miss those of others. */
function typed<Options>(options: Options, self: Command): Options & { project: string | undefined } {
  const { project } = self.optsWithGlobals<{ project?: string }>();
  return { ...options, project };
}

export function addPresetsCommands(program: Command): void {
  const presets = program.command('presets').description('keep commands worth repeating, as templates');
  presets.addHelpText('after', examples('cairn presets', 'cairn presets show review'));
  presets
    .command('list', { isDefault: true })
    .description('list the presets of the workspace, the most used first')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn presets', 'cairn presets list --json'))
    .action(
      command(async (config, options: ListOptions, self: Command) =>
        (await loadPresets()).runPresets(config, typed(options, self)),
      ),
    );
  presets
    .command('show <name>')
    .description('show a preset in full: yours before that of others')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn presets show review'))
    .action(
      command(async (config, name: string, options: RemoveOptions) =>
        (await loadPresets()).runShow(config, name, options),
      ),
    );
  addSavePreset(presets);
  presets
    .command('remove <name>')
    .description('remove a preset')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn presets remove review'))
    .action(
      command(async (config, name: string, options: RemoveOptions) =>
        (await loadPresets()).runRemove(config, name, options),
      ),
    );
  addMovePresets(presets);
}

function addSavePreset(presets: Command): void {
  presets
    .command('save <name>')
    .description('save a preset, or change yours of that name: what is left out stays as it is')
    .option('--content <text>', 'the command, with {{name}} for each variable')
    .option('--file <file>', 'take the command from a file; - for standard input')
    .addOption(new Option('--type <type>', 'the type of command; natural by default').choices(TYPES))
    .option('--for <type>', 'a type of agents that it is for, like claude; again for each', repeated)
    .option('--var <name=default>', 'a variable, with or without a default; again for each', repeated)
    .option('--description <text>', 'what it is for')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples(
        'cairn presets save review --type review --content "Review {{branch}}." --var branch=main',
        'cairn presets save review --file review.md --var branch',
      ),
    )
    .action(
      command(async (config, ...[name, options, self]: [string, SavePresetOptions, Command]) =>
        (await loadPresets()).runSave(config, name, typed(options, self)),
      ),
    );
}

function addMovePresets(presets: Command): void {
  presets
    .command('export [file]')
    .description('write the presets as JSON, by default to standard output')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn presets export presets.json'))
    .action(
      command(async (config, file: string | undefined, options: ExportOptions) =>
        (await import('./transfer.ts')).runExport(config, file, options),
      ),
    );
  presets
    .command('import <file>')
    .description('save the presets of an exported file, or none if one is not valid; - for standard input')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn presets import presets.json'))
    .action(
      command(async (config, file: string, options: ExportOptions) =>
        (await import('./transfer.ts')).runImport(config, file, options),
      ),
    );
}

export function addProfilesCommands(program: Command): void {
  const profiles = program.command('profiles').description('keep limits for commands, under names');
  profiles.addHelpText('after', examples('cairn profiles', 'cairn profiles save careful --time 10m --default'));
  profiles
    .command('list', { isDefault: true })
    .description('list the profiles of the workspace, the default first')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn profiles', 'cairn profiles list --json'))
    .action(
      command(async (config, options: ListOptions, self: Command) =>
        (await loadProfiles()).runProfiles(config, typed(options, self)),
      ),
    );
  profiles
    .command('save <name>')
    .description('save a profile, or change the one of that name; none takes a limit away')
    .option('--time <time>', 'how long a command may run, like 10m; at most 24h', limitOf(milliseconds))
    .option('--tokens <count>', 'how many tokens it may use, like 200000 or 200k', limitOf(tokens))
    .option('--memory <size>', 'how much memory, like 512m or 2g', limitOf(megabytes))
    .option('--cpu <percent>', 'how much of a processor, like 80', limitOf(percent))
    .option('--silence <time>', 'how long without a sign of work, like 5m', limitOf(milliseconds))
    .option('--default', 'use it for commands that name no profile')
    .option('--no-default', 'use it for those no more')
    .option('--description <text>', 'what it is for')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples(
        'cairn profiles save careful --time 10m --tokens 200k --default',
        'cairn profiles save careful --time none',
      ),
    )
    .action(
      command(async (config, ...[name, options, self]: [string, SaveProfileOptions, Command]) =>
        (await loadProfiles()).runSave(config, name, typed(options, self)),
      ),
    );
  profiles
    .command('remove <name>')
    .description('remove a profile')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn profiles remove careful'))
    .action(
      command(async (config, name: string, options: RemoveOptions) =>
        (await loadProfiles()).runRemove(config, name, options),
      ),
    );
}

/** Parses a limit; `none` takes it away, which the services write as zero. */
function limitOf(parse: (given: string) => number): (given: string) => number {
  return (given) => (given === NONE ? 0 : parse(given));
}

function milliseconds(given: string): number {
  return duration(given) * SECOND_MS;
}

function tokens(given: string): number {
  return scaled(given, { '': 1, k: 1_000, m: 1_000_000 }, 'It must be a number like 200000, 200k or 2m.');
}

function megabytes(given: string): number {
  return scaled(given, { '': 1, m: 1, mb: 1, g: 1_024, gb: 1_024 }, 'It must be a size like 512m or 2g.');
}

function percent(given: string): number {
  return scaled(given, { '': 1, '%': 1 }, 'It must be a number like 80; 100 is one processor.');
}

function scaled(given: string, units: Readonly<Record<string, number>>, otherwise: string): number {
  const [, amount, unit = ''] = /^(\d{1,9})([a-z%]*)$/.exec(given.toLowerCase()) ?? [];
  const value = Number(amount) * (Object.hasOwn(units, unit) ? (units[unit] ?? 0) : 0);
  if (value >= 1) return value;
  throw new InvalidArgumentError(otherwise);
}
