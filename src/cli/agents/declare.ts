import type { Command } from 'commander';
import { command, examples, JSON_OPTION, upTo } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { AgentsOptions, RetireOptions } from './agents.ts';
import type { StopOptions } from './stop.ts';

const WHY_OPTION = ['-m, --message <text>', 'why'] as const;

const loadAgents = () => import('./agents.ts');
const loadStop = () => import('./stop.ts');

export function addAgentsCommands(program: Command): void {
  const agents = program.command('agents').description('see and change the agents that take commands');
  agents.addHelpText('after', examples('cairn agents', 'cairn agents show claude-1', 'cairn agents stop claude-1'));
  agents
    .command('list', { isDefault: true })
    .description('list the agents: how each is, what it does, what waits for it')
    .option('--all', 'include retired ones')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn agents', 'cairn agents list --all'))
    .action(command(async (config, options: AgentsOptions) => (await loadAgents()).runAgents(config, options)));
  agents
    .command('show <name>')
    .description('show an agent in full, with its health and its runs')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn agents show claude-1'))
    .action(
      command(async (config, name: string, options: JsonOption) =>
        (await loadAgents()).runShowAgent(config, name, options),
      ),
    );
  agents
    .command('limit')
    .argument('[number]', 'how many at most; without it, how it is', upTo(10_000))
    .description('set how many agents of the workspace runners drive at once, at most; for owners and admins')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn agents limit', 'cairn agents limit 100'))
    .action(
      command(async (config, number: number | undefined, options: JsonOption) =>
        (await import('./limit.ts')).runAgentsLimit(config, number, options),
      ),
    );
  addChangeAgent(agents);
}

function addChangeAgent(agents: Command): void {
  agents
    .command('stop <name>')
    .description('stop an agent: what it runs is interrupted, its queue waits; as `cairn stop NAME`')
    .option(...WHY_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn agents stop claude-1 -m "It goes in circles."'))
    .action(
      command(async (config, name: string, options: StopOptions) =>
        (await loadStop()).runStop(config, [name], options),
      ),
    );
  agents
    .command('go-on <name>')
    .description('let a stopped agent go on; as `cairn go-on NAME`')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn agents go-on claude-1'))
    .action(
      command(async (config, name: string, options: JsonOption) => (await loadStop()).runGoOn(config, [name], options)),
    );
  agents
    .command('rename <name> <new>')
    .description('rename an agent')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn agents rename claude-1 reviewer'))
    .action(
      command(async (config, ...[name, given, options]: [string, string, JsonOption]) =>
        (await loadAgents()).runRename(config, [name, given], options),
      ),
    );
  agents
    .command('retire <name>')
    .description('retire an agent that is needed no more; its history stays')
    .option('--yes', 'also one that is at work: its runs end, its queue is cancelled')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn agents retire claude-1'))
    .action(
      command(async (config, name: string, options: RetireOptions) =>
        (await loadAgents()).runRetire(config, name, options),
      ),
    );
}

/** The emergency stop, and its end. */
export function addStopCommands(program: Command): void {
  program
    .command('stop [agents...]')
    .description('stop agents, or all of the workspace: what runs is interrupted, nothing new starts')
    .option('--all', 'all agents of the workspace, as without a name')
    .option('--everywhere', 'all agents of all workspaces; only where the server runs')
    .option(...WHY_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples('cairn stop', 'cairn stop claude-1 -m "It goes in circles."', 'cairn stop --everywhere'),
    )
    .action(
      command(async (config, names: string[], options: StopOptions) =>
        (await loadStop()).runStop(config, names, options),
      ),
    );
  program
    .command('go-on [agents...]')
    .description('take a stop back: of agents, or of the workspace')
    .option('--all', 'the stop of the workspace, as without a name')
    .option('--everywhere', 'the stop of all workspaces; only where the server runs')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn go-on', 'cairn go-on claude-1', 'cairn go-on --everywhere'))
    .action(
      command(async (config, names: string[], options: StopOptions) =>
        (await loadStop()).runGoOn(config, names, options),
      ),
    );
}
