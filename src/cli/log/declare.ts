import { type Command, Option } from 'commander';
import { AUDIT_KINDS } from '../../services/audit.ts';
import { command, examples, JSON_OPTION, limit } from '../command.ts';
import type { WorkspaceOption } from '../local-context.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { ArchiveOptions } from './archive.ts';
import type { AuditOptions } from './audit.ts';
import type { RedactOptions, VerifyOptions } from './events.ts';

const WORKSPACE_OPTION = ['--workspace <id>', 'the id of a workspace other than your own'] as const;

export function addAuditCommand(program: Command): void {
  program
    .command('audit')
    .description('show who did what in the last 30 days: agents, commands, stops, limits, sign-ins; newest first')
    .addOption(new Option('--kind <kind>', 'only this kind').choices(AUDIT_KINDS))
    .option('--user <member>', 'only what this member did, by name, address of mail or id')
    .option('--agent <name>', 'only what is about this agent')
    .option('--command <command>', 'only what is about this command')
    .option('--since <age>', 'an age like 24h or 7d, a day, or a time')
    .option('--until <age>', 'up to then')
    .option('--limit <count>', 'how many at most', limit, 50)
    .option('-f, --follow', 'go on with each entry as it comes')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples('cairn audit', 'cairn audit --kind emergency_stop', 'cairn audit --user ada --since 24h'),
    )
    .action(command(async (config, options: AuditOptions) => (await import('./audit.ts')).runAudit(config, options)));
}

export function addEventsCommands(program: Command): void {
  const events = program.command('events').description('manage the log of events');
  events
    .command('verify')
    .description('verify the log and the read model; if they differ, exit code 1 and the first difference')
    .option('--no-archive', 'do not read archived files; trust the hashes that the database keeps of them')
    .option(...WORKSPACE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn events verify', 'cairn events verify --json'))
    .action(
      command(async (config, options: VerifyOptions) => (await import('./events.ts')).runVerify(config, options)),
    );
  events
    .command('replay')
    .description('rebuild the read model from the log')
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
    .requiredOption('--before <date>', 'move events older than this date, like 2026-01-31')
    .option('--to <place>', 'a directory, supabase:BUCKET or s3:BUCKET/PREFIX; by default the data directory')
    .option('--one-machine', 'for your own PostgreSQL server: confirm that no other machine serves this database')
    .option(...WORKSPACE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn events archive --before 2026-01-31'))
    .action(
      command(async (config, options: ArchiveOptions) => (await import('./archive.ts')).runArchive(config, options)),
    );
  events
    .command('redact <event>')
    .description('blank the text of an event, named by position (like 12) or id, and record the redaction')
    .requiredOption('--reason <text>', 'the reason, kept in the log')
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
    .option('--project <slug>', 'only this project; by default all of the workspace')
    .option('--out <file>', 'the file to write; by default standard output')
    .option(...WORKSPACE_OPTION)
    .option('--json', 'print a summary of the written file as JSON')
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
    .description('import a file that export wrote (- for standard input); safe to repeat')
    .option(...WORKSPACE_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn events import all.jsonl'))
    .action(
      command(async (config, file: string, options: JsonOption & WorkspaceOption) =>
        (await import('../move/transfer.ts')).runImport(config, file, options),
      ),
    );
}
