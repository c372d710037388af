import type { Command } from 'commander';
import { command } from './command.ts';

export function addEventsCommands(program: Command): void {
  const events = program.command('events').description('look after the log');
  events
    .command('verify')
    .description('check the log, and everything made of it; exit status 1 and the first difference if not whole')
    .action(command(async (config) => (await import('../commands/events.ts')).runVerify(config)));
  events
    .command('replay')
    .description('make everything anew from the log')
    .action(command(async (config) => (await import('../commands/events.ts')).runReplay(config)));
  events
    .command('export')
    .description('write the log as JSON Lines')
    .option('--project <slug>', 'only this project; otherwise the workspace')
    .option('--out <file>', 'where to; otherwise standard output')
    .action(
      // Only a project that was typed: CAIRN_PROJECT is about tools, and half a log is not what one expects here.
      command(async (config, { out }: { out?: string }, self: Command) => {
        const { project } = self.optsWithGlobals<{ project?: string }>();
        await (await import('../commands/transfer.ts')).runExport(config, { project, out });
      }),
    );
  events
    .command('import <file>')
    .description('read what export wrote (- for standard input); may be repeated')
    .action(command(async (config, file: string) => (await import('../commands/transfer.ts')).runImport(config, file)));
  events
    .command('redact <event>')
    .description('blank what an event (its position, like 12, or its id) says, on the record')
    .requiredOption('--reason <text>', 'why; it stays on the record')
    .action(
      command(async (config, event: string, options: { reason: string }) =>
        (await import('../commands/events.ts')).runRedact(config, event, options),
      ),
    );
}
