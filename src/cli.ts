#!/usr/bin/env node
import { Command } from 'commander';
import { type Config, type Flags, readConfig } from './config.ts';
import { DomainError } from './errors.ts';

// Commands are imported when they run: a client waits for the start of this program.

const program = new Command('cairn')
  .description('Shared, durable memory for AI coding agents, over MCP.')
  .option('--data-dir <path>', 'where the embedded database lives (CAIRN_DATA_DIR)')
  .option('--database-url <url>', 'a PostgreSQL server to use instead of the embedded one (DATABASE_URL)')
  .option('--agent <name>', 'the name under which this process acts (CAIRN_AGENT)')
  .option('--project <slug>', 'the project to use when none is named (CAIRN_PROJECT)')
  .option('--toolsets <names>', 'which tools to offer, comma separated (CAIRN_TOOLSETS)')
  .option('--read-only', 'offer only tools that change nothing (CAIRN_READ_ONLY)')
  .option('--log-level <level>', 'fatal, error, warn, info, debug, trace or silent (CAIRN_LOG_LEVEL)');

/** Runs a command with the configuration; a failure is two sentences on standard error and exit status 1. */
function command(run: (config: Config) => Promise<void>): () => Promise<void> {
  return async () => {
    try {
      await run(readConfig(program.opts<Flags>()));
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      process.stderr.write(`cairn: ${error.message}\n${error.hint === null ? '' : `${error.hint}\n`}`);
      process.exitCode = 1;
    }
  };
}

program.action(command(async (config) => (await import('./commands/stdio.ts')).runStdio(config)));

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

await program.parseAsync();
