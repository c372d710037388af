import { type Command, InvalidArgumentError, Option } from 'commander';
import { DRIVER_NAMES } from '../../runner/driver-names.ts';
import { command, duration, examples, JSON_OPTION, upTo } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { AgentInstallOptions } from './install-agent.ts';
import type { AgentRunOptions } from './run-agent.ts';
import type { AgentWaitOptions } from './wait-agent.ts';

const QUIET = '5s';
const ANSWER = '15m';

export function addRunnerCommands(program: Command): void {
  const agent = program.command('agent').description('drive an agent on this machine');
  addWait(agent);
  addInstall(agent);
  addDriving(agent.command('run'))
    .description('start an agent that takes commands, and drive it until this program ends')
    .option('--json', 'print what happens as a line of JSON each')
    .addHelpText(
      'after',
      examples(
        'cairn agent run -- claude',
        'cairn agent run -- codex',
        'cairn agent run --name reviewer --driver pipe -- ./review.sh',
        'cairn agent run --workspace worktree -- codex',
        'cairn agent run --url https://cairn.example.com --token-file ~/.cairn-token --name claude-1 -- claude',
      ),
    )
    .action(
      command(async (config, words: string[], options: AgentRunOptions) => {
        await (await import('./run-agent.ts')).runAgent(config, words, options);
      }),
    );
}

/** The program of an agent, and how it is driven. */
function addDriving(driving: Command): Command {
  return driving
    .argument('<command...>', 'the program of the agent and its arguments, after --')
    .option('--name <name>', 'what it is called; by default after its program, such as claude-1')
    .addOption(new Option('--driver <driver>', 'how texts reach it').choices(['auto', ...DRIVER_NAMES]).default('auto'))
    .addOption(
      new Option('--quiet <time>', 'with the driver pty, how long its terminal is still when a turn has ended')
        .argParser(duration)
        .default(duration(QUIET), QUIET),
    )
    .addOption(
      new Option('--accept <whose>', 'whose commands it takes').choices(['owner', 'workspace']).default('owner'),
    )
    .option('--type <type>', 'what kind of agent it is; by default after its program')
    .option('--account <name>', 'whose limit of use its provider counts; by default all agents of yours of its type')
    .addOption(
      new Option('--answer-within <time>', 'how long a person is waited for whom the agent asks; then it is a no')
        .argParser(duration)
        .default(duration(ANSWER), ANSWER),
    )
    .addOption(
      new Option('--at-once <number>', 'how many runs it does at once: with the driver pipe, or in worktrees')
        .argParser(upTo(99))
        .default(1),
    )
    .option('--url <url>', 'a `cairn serve` that it reports to; by default the database of this machine')
    .option('--token-file <file>', 'a file with the token for that server; by default CAIRN_TOKEN')
    .option('--workspace <where>', 'where it works: here, a worktree of its own for each run, or a folder', 'here');
}

function addInstall(agent: Command): void {
  addDriving(agent.command('install'))
    .description('let the system start `cairn agent run` at login: a systemd user unit, or a launchd agent')
    .option('--yes', 'write it without asking')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples(
        'cairn agent install --name claude-1 -- claude',
        'cairn agent install --name codex-1 --workspace worktree -- codex',
      ),
    )
    .action(
      command(async (config, words: string[], options: AgentInstallOptions) => {
        await (await import('./install-agent.ts')).installAgent(config, words, options);
      }),
    );
  agent
    .command('uninstall')
    .description('let the system no longer start it')
    .argument('<name>', 'the agent')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn agent uninstall claude-1'))
    .action(
      command(async (config, name: string, options: JsonOption) => {
        await (await import('./install-agent.ts')).uninstallAgent(config, name, options);
      }),
    );
}

function addWait(agent: Command): void {
  agent
    .command('wait')
    .description('wait for a command as an agent, print it and end: for a background task of the agent itself')
    .option('--seconds <number>', 'wait no longer; without it until a command comes', seconds)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn agent wait', 'cairn --agent claude-2 agent wait --seconds 600'))
    .action(
      command(async (config, options: AgentWaitOptions) =>
        (await import('./wait-agent.ts')).waitAsAgent(config, options),
      ),
    );
}

function seconds(given: string): number {
  if (/^[1-9]\d{0,5}$/.test(given)) return Number(given);
  throw new InvalidArgumentError('It must be a number of seconds.');
}
