#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { mayBeClient } from './commands/audience.ts';
import { type Config, type Flags, readConfig } from './config.ts';
import { DomainError } from './errors.ts';

// Commands are imported when they run: a client waits for the start of this program.

const FAILED = 1;
const MISUSED = 2;

const program = new Command('cairn')
  .description('Shared, durable memory for AI coding agents, over MCP.')
  .exitOverride()
  .option('--data-dir <path>', 'where the embedded database lives (CAIRN_DATA_DIR)')
  .option('--database-url <url>', 'a PostgreSQL server to use instead of the embedded one (DATABASE_URL)')
  .option('--agent <name>', 'the name under which this process acts (CAIRN_AGENT)')
  .option('--project <slug>', 'the project to use when none is named (CAIRN_PROJECT)')
  .option('--toolsets <names>', 'which tools to offer, comma separated (CAIRN_TOOLSETS)')
  .option('--read-only', 'offer only tools that change nothing (CAIRN_READ_ONLY)')
  .option('--log-level <level>', 'fatal, error, warn, info, debug, trace or silent (CAIRN_LOG_LEVEL)');

/** Runs a command with the configuration and what else was typed; a failure is two sentences on standard error. */
function command<Given extends unknown[]>(
  run: (config: Config, ...given: Given) => Promise<void>,
): (...given: Given) => Promise<void> {
  return async (...given) => {
    let config: Config | undefined;
    try {
      config = readConfig(program.opts<Flags>());
      await run(config, ...given);
    } catch (error) {
      process.stderr.write(`cairn: ${describe(error, config)}\n`);
      process.exitCode = config === undefined ? MISUSED : FAILED;
    }
  };
}

function describe(error: unknown, config: Config | undefined): string {
  if (error instanceof DomainError) return error.hint === null ? error.message : `${error.message}\n${error.hint}`;
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
  const verbose = config?.logLevel === 'debug' || config?.logLevel === 'trace';
  return verbose ? `${stack}` : `${message}\n--log-level debug shows where it comes from.`;
}

program.action(
  command(async (config) => {
    if (mayBeClient() && (await (await import('./commands/stdio.ts')).runStdio(config))) return;
    await (await import('./commands/welcome.ts')).runWelcome(config);
  }),
);

program
  .command('demo')
  .description('play a short hand-over between agents, on a temporary database')
  .action(command(async () => (await import('./commands/demo.ts')).runDemo()));

program
  .command('approve <task>')
  .description('approve a task as a person, for a gate that asks for it')
  .option('--note <text>', 'what to say with it')
  .action(
    command(async (config, task: string, options: { note?: string }) =>
      (await import('./commands/approve.ts')).runApprove(config, task, options),
    ),
  );

const events = program.command('events').description('look after the log');
events
  .command('verify')
  .description('check the log, and everything made of it; exit status 1 and the first difference if not whole')
  .action(command(async (config) => (await import('./commands/events.ts')).runVerify(config)));
events
  .command('replay')
  .description('make everything anew from the log')
  .action(command(async (config) => (await import('./commands/events.ts')).runReplay(config)));
events
  .command('export')
  .description('write the log as JSON Lines')
  .option('--project <slug>', 'only this project; otherwise the workspace')
  .option('--out <file>', 'where to; otherwise standard output')
  .action(
    command(async (config, options: { out?: string }) =>
      (await import('./commands/transfer.ts')).runExport(config, options),
    ),
  );
events
  .command('import <file>')
  .description('read what export wrote (- for standard input); may be repeated')
  .action(command(async (config, file: string) => (await import('./commands/transfer.ts')).runImport(config, file)));
events
  .command('redact <event>')
  .description('blank what an event (its position, like 12, or its id) says, on the record')
  .requiredOption('--reason <text>', 'why; it stays on the record')
  .action(
    command(async (config, event: string, options: { reason: string }) =>
      (await import('./commands/events.ts')).runRedact(config, event, options),
    ),
  );

program
  .command('migrate')
  .description('bring the database to the schema of this program')
  .action(command(async (config) => (await import('./commands/migrate.ts')).runMigrate(config)));

const db = program.command('db').description('look after the embedded database');
db.command('status')
  .description('show whether it runs, and who is connected')
  .action(command(async (config) => (await import('./commands/db.ts')).runDbStatus(config)));
db.command('stop')
  .description('stop it, whoever uses it')
  .action(command(async (config) => (await import('./commands/db.ts')).runDbStop(config)));

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : MISUSED;
}
