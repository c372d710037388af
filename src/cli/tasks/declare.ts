import { type Command, InvalidArgumentError, Option } from 'commander';
import { command, examples, JSON_OPTION, limit } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { TasksOptions } from './tasks.ts';

const STATUSES = ['pending', 'in_progress', 'blocked', 'completed', 'cancelled'];
export const PRIORITIES = ['critical', 'high', 'medium', 'low'];

export function addTaskCommands(program: Command): void {
  program
    .command('tasks [words...]')
    .description('list open tasks; with words, those that have them in the title')
    .addOption(statusOption())
    .addOption(new Option('-p, --priority <priority...>', 'only these priorities').choices(PRIORITIES))
    .option('--all', 'include completed and cancelled tasks')
    .option('-l, --label <label...>', 'only tasks with all of these labels')
    .option('--ready', 'only tasks that can be claimed now')
    .option('--mine', 'only tasks that you hold')
    .option('--unproven', 'only tasks completed without evidence for every criterion')
    .option('--parent <task>', 'only the parts of this task')
    .option('--limit <count>', 'how many at most', limit, 50)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn tasks --ready', 'cairn tasks login --status in_progress blocked'))
    .action(
      command(async (config, words: string[], options: TasksOptions) =>
        (await import('./tasks.ts')).runTasks(config, words, options),
      ),
    );
  program
    .command('next')
    .description('show the task that an agent would get now')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn next', 'cairn next --json'))
    .action(command(async (config, options: JsonOption) => (await import('./tasks.ts')).runNext(config, options)));
  program
    .command('show <task>')
    .description('show one task with its criteria, evidence, parts, artifacts and latest events')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn show web-12'))
    .action(
      command(async (config, task: string, options: JsonOption) =>
        (await import('./tasks.ts')).runShow(config, task, options),
      ),
    );
}

/** The option for a status. A ready task is pending: it has its own option. */
function statusOption(): Option {
  const option = new Option('-s, --status <status...>', 'only these statuses').choices(STATUSES);
  const { parseArg } = option;
  return option.argParser((given: string, before: unknown) => {
    if (given === 'ready') throw new InvalidArgumentError('--ready lists what can be claimed now.');
    return parseArg?.(given, before);
  });
}
