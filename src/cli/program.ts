import { Command } from 'commander';
import { mayBeClient } from '../commands/audience.ts';
import { command } from './command.ts';
import { addDatabaseCommands } from './database.ts';
import { addEventsCommands } from './events.ts';
import { addLoginCommands } from './login.ts';
import { addProjectCommands } from './project.ts';
import { addServeCommand } from './serve.ts';
import { addSetupCommands } from './setup.ts';
import { addTaskCommands } from './tasks.ts';
import { addTransferCommands } from './transfer.ts';

/** Everything that can be typed; each group of commands adds itself. */
export function createProgram(): Command {
  const program = new Command('cairn')
    .description('Shared, durable memory for AI coding agents, over MCP.')
    .exitOverride()
    .option('--data-dir <path>', 'where the embedded database lives (CAIRN_DATA_DIR)')
    .option('--database-url <url>', 'a PostgreSQL server to use instead of the embedded one (DATABASE_URL)')
    .option('--supabase-url <url>', 'a Supabase project to use instead (SUPABASE_URL)')
    .option('--agent <name>', 'the name under which this process acts (CAIRN_AGENT)')
    .option('--project <slug>', 'the project to use when none is named (CAIRN_PROJECT)')
    .option('--toolsets <names>', 'which tools to offer, comma separated (CAIRN_TOOLSETS)')
    .option('--read-only', 'offer only tools that change nothing (CAIRN_READ_ONLY)')
    .option('--log-level <level>', 'fatal, error, warn, info, debug, trace or silent (CAIRN_LOG_LEVEL)');

  program.action(
    command(async (config) => {
      if (mayBeClient() && (await (await import('../commands/stdio.ts')).runStdio(config))) return;
      await (await import('../commands/welcome.ts')).runWelcome(config);
    }),
  );
  program
    .command('demo')
    .description('play a short hand-over between agents, on a temporary database')
    .action(command(async () => (await import('../commands/demo.ts')).runDemo()));
  addSetupCommands(program);
  addProjectCommands(program);
  addServeCommand(program);
  addTaskCommands(program);
  addTransferCommands(program);
  addEventsCommands(program);
  addDatabaseCommands(program);
  addLoginCommands(program);
  return program;
}
