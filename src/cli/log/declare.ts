import type { Command } from 'commander';
import { command, examples, JSON_OPTION } from '../command.ts';
import type { WorkspaceOption } from '../local-context.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { ArchiveOptions } from './archive.ts';
import type { RedactOptions, VerifyOptions } from './events.ts';

const WORKSPACE_OPTION = ['--workspace <id>', "another than one's own, by its id"] as const;

export function addEventsCommands(program: Command): void {
  const events = program.command('events').description('look after the log');
  events
    .command('verify')
    .description('check the log, and everything made of it; exit status 1 and the first difference if not whole')
    .option('--no-archive', 'trust what the archive left behind, without reading its files')
    .option(...WORKSPACE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn events verify', 'cairn events verify --json'))
    .action(
      command(async (config, options: VerifyOptions) => (await import('./events.ts')).runVerify(config, options)),
    );
  events
    .command('replay')
    .description('make everything anew from the log')
    .option(...WORKSPACE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn events replay'))
    .action(
      command(async (config, options: JsonOption & WorkspaceOption) =>
        (await import('./events.ts')).runReplay(config, options),
      ),
    );
  addLogFileCommands(events);
  events
    .command('archive')
    .description('move old events to compressed files; they stay readable')
    .requiredOption('--before <date>', 'those that are older, like 2026-01-31')
    .option('--to <place>', 'a directory, or supabase:BUCKET; otherwise into the data directory')
    .option('--one-machine', 'for a database of your own: no other machine serves it')
    .option(...WORKSPACE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn events archive --before 2026-01-31'))
    .action(
      command(async (config, options: ArchiveOptions) => (await import('./archive.ts')).runArchive(config, options)),
    );
  events
    .command('redact <event>')
    .description('blank what an event (its position, like 12, or its id) says, on the record')
    .requiredOption('--reason <text>', 'why; it stays on the record')
    .option(...WORKSPACE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn events redact 12 --reason "A password leaked."'))
    .action(
      command(async (config, event: string, options: RedactOptions) =>
        (await import('./events.ts')).runRedact(config, event, options),
      ),
    );
}

function addLogFileCommands(events: Command): void {
  events
    .command('export')
    .description('write the log as JSON Lines')
    .option('--project <slug>', 'only this project; otherwise the workspace')
    .option('--out <file>', 'where to; otherwise standard output')
    .option(...WORKSPACE_OPTION)
    .option('--json', 'print what was written to the file as JSON')
    .addHelpText('after', examples('cairn events export --out all.jsonl', 'cairn events export --project web'))
    .action(
      // Takes only a project that was typed: CAIRN_PROJECT is about tools, and nobody expects half a log here.
      command(async (config, options: JsonOption & WorkspaceOption & { out?: string }, self: Command) => {
        const { project } = self.optsWithGlobals<{ project?: string }>();
        await (await import('../move/transfer.ts')).runExport(config, { ...options, project });
      }),
    );
  events
    .command('import <file>')
    .description('read what export wrote (- for standard input); may be repeated')
    .option(...WORKSPACE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn events import all.jsonl'))
    .action(
      command(async (config, file: string, options: JsonOption & WorkspaceOption) =>
        (await import('../move/transfer.ts')).runImport(config, file, options),
      ),
    );
}
