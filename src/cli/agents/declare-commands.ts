import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Command as AgentCommand } from '../../events/commands.ts';
import { command, examples, JSON_OPTION, limit, longDuration, repeated } from '../command.ts';
import { milliseconds, tokens } from '../limits.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { CancelOptions, CommandsOptions } from './commands.ts';
import type { QueueOptions } from './queue.ts';
import type { InterruptOptions, RunsOptions } from './runs.ts';
import type { SendOptions } from './send.ts';

const WHY_OPTION = ['-m, --message <text>', 'why'] as const;
const LIMIT_OPTION = ['--limit <count>', 'how many at most', limit, 20] as const;
const FOLLOW_OPTION = ['--follow', 'go on showing them as they change; q quits'] as const;
const PRIORITY_MAX = 100;

// They stand here, too, since what checks the data is loaded when a command runs.
const TYPES = ['natural', 'investigate', 'review', 'plan', 'synthesize'] as const satisfies AgentCommand['type'][];
const MODES = ['turn', 'steer', 'interrupt'] as const satisfies AgentCommand['mode'][];
const STATUSES = [
  'pending',
  'queued',
  'executing',
  'completed',
  'failed',
  'cancelled',
] as const satisfies AgentCommand['status'][];

const loadCommands = () => import('./commands.ts');
const loadRuns = () => import('./runs.ts');

export function addSendCommand(program: Command): void {
  program
    .command('send [text...]')
    .description('ask agents to do something; - for standard input')
    .option('--to <agent>', 'name or id of an agent, type:claude, or all; again for each', repeated)
    .option('--preset <name>', 'a preset in place of the text')
    .option('--set <name=value>', 'the value of a variable of the preset; again for each', repeated)
    .addOption(new Option('--type <type>', 'the type of command; natural by default').choices(TYPES))
    .addOption(
      new Option(
        '--mode <mode>',
        'when it is delivered: after the turn, at the next step, or now, which ends the turn; turn by default',
      ).choices(MODES),
    )
    .option('--priority <number>', 'from 0 to 100, higher is sooner; 50 by default', priority)
    .option('--task <task>', 'assign this task: its claim is that of the run')
    .option('--time <time>', 'how long it may run, like 10m', milliseconds)
    .option('--tokens <count>', 'how many tokens it may use, like 200000 or 200k', tokens)
    .option('--profile <name>', 'a profile of limits; the smallest of all limits counts')
    .option('--ttl <time>', 'not started by then, it expires, like 1h; a day by default', longDuration)
    .option('--repeatable', 'it may be done again if its runner ends in the middle')
    .option('--no-resume', "it ends when its provider's limit of use is met, and does not go on by itself")
    .option('--wait', 'wait until all its runs have ended; exit code 1 if it is not completed')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples(
        'cairn send "Run the tests and mend what fails." --to claude-1',
        'cairn send --preset review --set branch=main --to type:codex --wait',
        'cairn send "Use the other branch." --to claude-1 --mode steer',
        'git diff | cairn send - --to claude-1 --time 10m --tokens 200k',
      ),
    )
    .action(
      command(async (config, words: string[], options: SendOptions) =>
        (await import('./send.ts')).runSend(config, words, options),
      ),
    );
}

function priority(given: string): number {
  if (/^\d{1,3}$/.test(given) && Number(given) <= PRIORITY_MAX) return Number(given);
  throw new InvalidArgumentError(`It must be a number from 0 to ${PRIORITY_MAX}.`);
}

export function addQueueCommand(program: Command): void {
  program
    .command('queue [agent]')
    .description('show what agents do and what waits for them, in their order, and why it waits')
    .option(...FOLLOW_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn queue', 'cairn queue claude-1 --follow', 'cairn queue --follow --json'))
    .action(
      command(async (config, agent: string | undefined, options: QueueOptions) =>
        (await import('./queue.ts')).runQueue(config, agent, options),
      ),
    );
}

export function addCommandsCommands(program: Command): void {
  const commands = program.command('commands').description('see and take back the commands sent to agents');
  commands.addHelpText('after', examples('cairn commands', 'cairn commands show 3f2a91c0'));
  commands
    .command('list', { isDefault: true })
    .description('list the commands, the latest first')
    .addOption(new Option('--status <status>', 'only those of this status').choices(STATUSES))
    .option(...LIMIT_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn commands', 'cairn commands list --status failed'))
    .action(
      // Takes only a project that was typed: without one, nobody expects to miss the commands of others.
      command(async (config, options: CommandsOptions, self: Command) => {
        const { project } = self.optsWithGlobals<{ project?: string }>();
        await (await loadCommands()).runCommands(config, { ...options, project });
      }),
    );
  commands
    .command('show [command]')
    .description('show a command with its runs, by default the latest')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn commands show', 'cairn commands show 3f2a91c0'))
    .action(
      command(async (config, given: string | undefined, options: JsonOption) =>
        (await loadCommands()).runShowCommand(config, given, options),
      ),
    );
  commands
    .command('cancel <command>')
    .description('take a command back: its runs that wait end, those that run are interrupted')
    .option(...WHY_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn commands cancel 3f2a91c0 -m "Not needed."'))
    .action(
      command(async (config, given: string, options: CancelOptions) =>
        (await loadCommands()).runCancel(config, given, options),
      ),
    );
}

export function addRunsCommands(program: Command): void {
  const runs = program.command('runs').description('see and interrupt the runs of agents');
  runs.addHelpText('after', examples('cairn runs', 'cairn runs --agent claude-1 --open', 'cairn runs show 3f2a91c0'));
  runs
    .command('list', { isDefault: true })
    .description('list the runs, the latest first; with --agent NAME, which every command takes, those of one agent')
    .option('--open', 'only those that have not ended')
    .option(...FOLLOW_OPTION)
    .option(...LIMIT_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn runs', 'cairn runs --agent claude-1', 'cairn runs --open --follow'))
    .action(
      // The option of every command names an agent here as well, if it was typed.
      command(async (config, options: RunsOptions, self: Command) => {
        const { agent } = self.optsWithGlobals<{ agent?: string }>();
        await (await loadRuns()).runRuns(config, { ...options, agent });
      }),
    );
  runs
    .command('show <run>')
    .description('show a run in full, named by its id or the end of it')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn runs show 3f2a91c0'))
    .action(
      command(async (config, given: string, options: JsonOption) =>
        (await loadRuns()).runShowRun(config, given, options),
      ),
    );
  runs
    .command('interrupt <run>')
    .description('end a run, named by its id, the end of it, or its agent: its runner ends it, and the agent goes on')
    .option(...WHY_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn runs interrupt 3f2a91c0 -m "Wrong branch."'))
    .action(
      command(async (config, given: string, options: InterruptOptions) =>
        (await loadRuns()).runInterrupt(config, given, options),
      ),
    );
}
