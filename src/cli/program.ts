import { styleText } from 'node:util';
import { Command } from 'commander';
import { escaped } from '../text.ts';
import { VERSION } from '../version.ts';
import { addAgentsCommands, addStopCommands } from './agents/declare.ts';
import { addCommandsCommands, addQueueCommand, addRunsCommands, addSendCommand } from './agents/declare-commands.ts';
import { addAlertsCommands } from './alerts/declare.ts';
import { addApprovalsCommands } from './approvals/declare.ts';
import { addAuthCommands } from './auth/declare.ts';
import { addLoginCommands } from './auth/declare-login.ts';
import { command, examples } from './command.ts';
import { addDatabaseCommands } from './database/declare.ts';
import { addHelpCommands } from './help.ts';
import { addJobsCommands, addWorkerCommand } from './jobs/declare.ts';
import { addAuditCommand, addEventsCommands } from './log/declare.ts';
import { addMemoryCommands } from './memory/declare.ts';
import { addTransferCommands } from './move/declare.ts';
import { addOutputCommand } from './output/declare.ts';
import { addPresetsCommands, addProfilesCommands } from './presets/declare.ts';
import { addProjectsCommands } from './project/declare.ts';
import { addReportsCommands } from './reports/declare.ts';
import { addRunnerCommands } from './runner/declare.ts';
import { addServeCommand } from './serve/declare.ts';
import { mayBeClient } from './serve/stdin-client.ts';
import { addSetupCommands } from './setup/declare.ts';
import { addTaskCommands } from './tasks/declare.ts';
import { addChangeCommands } from './tasks/declare-changes.ts';
import { addOverviewCommands } from './tasks/declare-overview.ts';
import { addTraceCommands } from './traces/declare.ts';
import { refuseUnknown, suggestCommands } from './words.ts';

/** Declares all commands and options; each group of commands adds itself. */
export function createProgram(): Command {
  const program = new Command('cairn')
    .description('Shared, durable memory for AI coding agents, over MCP.')
    .version(VERSION)
    .configureHelp({
      styleTitle: (title) => styleText('bold', title),
      styleCommandText: (name) => styleText('cyan', name),
    })
    .exitOverride()
    // A caller that asked for JSON gets errors of usage as JSON, too.
    .configureOutput({ outputError: (text, write) => write(process.argv.includes('--json') ? misuseData(text) : text) })
    .option('--data-dir <path>', 'where the embedded database lives (CAIRN_DATA_DIR)')
    .option(
      '--linger-seconds <seconds>',
      'how long that database keeps running after its last user has left (CAIRN_LINGER_SECONDS)',
    )
    .option('--database-url <url>', 'a PostgreSQL server to use instead of the embedded one (DATABASE_URL)')
    .option('--supabase-url <url>', 'a Supabase project to use instead (SUPABASE_URL)')
    .option('--agent <name>', 'the agent name of this process (CAIRN_AGENT)')
    .option('--project <slug>', 'the project to use when none is named (CAIRN_PROJECT)')
    .option('--toolsets <names>', 'which tools to offer, comma separated (CAIRN_TOOLSETS)')
    .option('--output <kind>', 'what tools answer: text, json or both (CAIRN_OUTPUT)')
    .option('--read-only', 'offer only tools that change nothing (CAIRN_READ_ONLY)')
    .option('--log-level <level>', 'fatal, error, warn, info, debug, trace or silent (CAIRN_LOG_LEVEL)')
    .addHelpText('after', examples('cairn init', 'cairn demo', 'cairn status --project web', 'cairn watch --help'))
    .addHelpText('afterAll', ({ command: asked }) =>
      asked.parent === null ? '' : '\nOptions of every command, like --project: cairn --help',
    );

  addCommands(program);
  suggestCommands(program);
  // Last: commands inherit the program's settings when they are added, and none takes words that it does not use.
  addServing(program);
  return program;
}

/** Adds them in the order of the help. */
function addCommands(program: Command): void {
  program.commandsGroup('Set up:');
  addSetupCommands(program);
  addHelpCommands(program);
  program
    .command('demo')
    .description('play a short hand-over between agents, on a temporary database')
    .addHelpText('after', examples('cairn demo'))
    .action(command(async () => (await import('./setup/demo.ts')).runDemo()));
  program.commandsGroup('See:');
  addOverviewCommands(program);
  addTaskCommands(program);
  addAlertsCommands(program);
  addApprovalsCommands(program);
  addOutputCommand(program);
  addTraceCommands(program);
  addReportsCommands(program);
  addMemoryCommands(program);
  addAuditCommand(program);
  program.commandsGroup('Plan and decide:');
  addChangeCommands(program);
  addProjectsCommands(program);
  program.commandsGroup('Command agents:');
  addAgentsCommands(program);
  addSendCommand(program);
  addQueueCommand(program);
  addCommandsCommands(program);
  addRunsCommands(program);
  addStopCommands(program);
  addPresetsCommands(program);
  addProfilesCommands(program);
  program.commandsGroup('Serve:');
  addServeCommand(program);
  addRunnerCommands(program);
  addWorkerCommand(program);
  addAuthCommands(program);
  addLoginCommands(program);
  program.commandsGroup('Keep:');
  addTransferCommands(program);
  addEventsCommands(program);
  addDatabaseCommands(program);
  addJobsCommands(program);
}

/** Without a command: serves a client, and tells a person what it serves. */
function addServing(program: Command): void {
  const serve = command(async (config) => {
    if (mayBeClient() && (await (await import('./serve/stdio.ts')).runStdio(config))) return;
    await (await import('./setup/welcome.ts')).runWelcome(config);
  });
  program
    .allowUnknownOption()
    .allowExcessArguments()
    .action(function (this: Command) {
      // With an action of its own the program takes an unknown word for an argument, and its options for its own.
      const [word] = this.args;
      if (word?.startsWith('-'))
        return this.error(`error: There is no option ${escaped(word)}. cairn --help lists those there are.`);
      if (word !== undefined) refuseUnknown(this, word);
      return serve.call(this);
    });
}

/** Formats Commander's error about an unknown word as data. */
function misuseData(text: string): string {
  const [message = '', ...hint] = text
    .replace(/^error: /, '')
    .trim()
    .split('\n');
  return `${JSON.stringify({ error: { code: 'invalid_input', message, hint: hint.join(' ') || null, details: null } })}\n`;
}
