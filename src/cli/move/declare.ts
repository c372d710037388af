import { type Command, Option } from 'commander';
import { command, examples, JSON_OPTION } from '../command.ts';
import type { ExportOptions } from './export.ts';
import type { ImportOptions } from './import.ts';

const IMPORTED = ['task-master', 'beads', 'backlog', 'github', 'markdown', 'cairn', 'history'];
const EXPORTED = ['markdown', 'json', 'csv', 'history'];

export function addTransferCommands(program: Command): void {
  program
    .command('import <path>')
    .description('import tasks from another tool, or a file that export wrote; a repeat adds only what is new')
    .addOption(new Option('--from <format>', 'its format; detected by default').choices(IMPORTED))
    .option('--project <slug>', 'the project to import into; created if it does not exist')
    .option('--dry-run', 'show what would happen, and change nothing')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn import . --project web --dry-run', 'cairn import plan.md --project web'))
    .action(
      command(async (config, path: string, options: ImportOptions) =>
        (await import('./import.ts')).runImport(config, path, options),
      ),
    );
  program
    .command('export [file]')
    .description('write the tasks of a project for other tools, or a history for another Cairn')
    .addOption(new Option('--format <format>', 'the format to write').choices(EXPORTED).default('markdown'))
    .addOption(new Option('--all', 'the whole workspace, with its history').conflicts(['project', 'format']))
    .option('--records', 'with --all: what machines reported too, also what is in files')
    .option('--project <slug>', 'the project; by default the only one')
    .option('--out <file>', 'the file to write; by default standard output')
    .option('--json', 'print a summary of the written file as JSON')
    .addHelpText(
      'after',
      examples(
        'cairn export --project web',
        'cairn export --format csv --out web.csv',
        'cairn export --all cairn.jsonl',
      ),
    )
    .action(
      command(async (config, file: string | undefined, options: ExportOptions) =>
        (await import('./export.ts')).runExport(config, file, options),
      ),
    );
}
