import { type Command, Option } from 'commander';
import { command, examples } from '../command.ts';
import type { AgentRunOptions } from './run-agent.ts';

export function addRunnerCommands(program: Command): void {
  const agent = program.command('agent').description('drive an agent on this machine');
  agent
    .command('run')
    .description('start an agent that takes commands, and drive it until this program ends')
    .argument('<command...>', 'the program of the agent and its arguments, after --')
    .option('--name <name>', 'what it is called; by default after its program, such as claude-1')
    .addOption(
      new Option('--driver <driver>', 'how texts reach it').choices(['auto', 'claude', 'pipe']).default('auto'),
    )
    .addOption(
      new Option('--accept <whose>', 'whose commands it takes').choices(['owner', 'workspace']).default('owner'),
    )
    .option('--type <type>', 'what kind of agent it is; by default after its program')
    .addHelpText(
      'after',
      examples('cairn agent run -- claude', 'cairn agent run --name reviewer --driver pipe -- ./review.sh'),
    )
    .action(
      command(async (config, words: string[], options: AgentRunOptions) => {
        await (await import('./run-agent.ts')).runAgent(config, words, options);
      }),
    );
}
