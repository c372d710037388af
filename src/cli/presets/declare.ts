import { type Command, Option } from 'commander';
import type { Preset } from '../../events/presets.ts';
import { command, examples, JSON_OPTION, repeated } from '../command.ts';
import { limitOf, megabytes, milliseconds, percent, tokens } from '../limits.ts';
import type { ExportOptions, ListOptions, RemoveOptions, SavePresetOptions } from './presets.ts';
import type { SaveProfileOptions } from './profiles.ts';

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
