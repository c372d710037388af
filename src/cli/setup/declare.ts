import { type Command, Option } from 'commander';
import { CLIENTS } from '../../clients/catalog.ts';
import { command, examples, JSON_OPTION } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { InitOptions } from './init-questions.ts';

export function addSetupCommands(program: Command): void {
  program
    .command('init')
    .description('add Cairn to your clients and bind this repository to a project')
    .addOption(
      new Option('--client <client...>', 'only these clients; by default those that are found').choices(
        CLIENTS.map(({ id }) => id),
      ),
    )
    .addOption(
      new Option('--scope <scope>', 'write to this repository, or to your user settings').choices(['project', 'user']),
    )
    .option(
      '--hooks',
      'install hooks for Claude Code, Codex, Gemini CLI and Cursor: resume at session start, commands, checkpoints',
    )
    .option('--no-hooks', 'install no hooks')
    .option('--no-instructions', 'write no block in AGENTS.md or CLAUDE.md')
    .option('--no-binding', 'write no .cairn.json, and create no project')
    .option('-y, --yes', 'write without asking')
    .option('--follow-links', 'also write through links that lead out of the repository')
    .option('--dry-run', 'show what would be written, and write nothing')
    .option('--undo', 'undo what init wrote from here')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples(
        'cairn init',
        'cairn init --dry-run',
        'cairn init --client claude-code cursor --hooks --yes',
        'cairn init --scope user --client claude-desktop --yes',
        'cairn init --undo',
      ),
    )
    .action(command(async (config, options: InitOptions) => (await import('./init.ts')).runInit(config, options)));
  program
    .command('doctor')
    .description(
      'check the runtime, the database, the log, the project and your clients; exit code 1 if something failed',
    )
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn doctor', 'cairn doctor --json'))
    .action(command(async (config, options: JsonOption) => (await import('./doctor.ts')).runDoctor(config, options)));
  program
    .command('hook [event] [client]')
    .description(
      'run a hook of a client: session-start, pre-compact, after-tools, stop or wait; the exit code is 0, or 2 where wait wakes',
    )
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      'after',
      examples('cairn init --client claude-code --hooks', 'cairn hook session-start', 'cairn hook stop codex'),
    )
    .action(async function (this: Command, event = '', client = 'claude-code') {
      const flags = this.optsWithGlobals();
      if (event === 'wait') await (await import('../hook/waiting.ts')).waitForCommand(flags);
      else await (await import('../hook/hook.ts')).runHook(event, client, flags);
    });
}
