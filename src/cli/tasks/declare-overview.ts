import { type Command, Option } from 'commander';
import { command, examples, JSON_OPTION, limit } from '../command.ts';
import type { LogOptions } from '../log/log.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { QuestionsOptions } from './questions.ts';
import type { SearchOptions } from './search.ts';

const KINDS = ['task', 'event', 'decision', 'checkpoint', 'artifact', 'project', 'output'];

export function addOverviewCommands(program: Command): void {
  program
    .command('status')
    .description('show the project at a glance; without a project, all of them')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn status', 'cairn status --project web', 'cairn status --json'))
    .action(command(async (config, options: JsonOption) => (await import('./status.ts')).runStatus(config, options)));
  addReadingCommands(program);
  program
    .command('resume')
    .description('show what an agent reads when it resumes the project')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn resume', 'cairn resume --project web'))
    .action(command(async (config, options: JsonOption) => (await import('./resume.ts')).runResume(config, options)));
  program
    .command('watch')
    .description('watch live who holds which task and what happens; q quits')
    .option('--json', 'print each event as a line of JSON')
    .addHelpText('after', examples('cairn watch', 'cairn watch --json | jq .text'))
    .action(command(async (config, options: JsonOption) => (await import('./watch.ts')).runWatch(config, options)));
}

function addReadingCommands(program: Command): void {
  program
    .command('log [task]')
    .description('show the events of the project or of a task, latest first')
    .option('--type <type...>', 'only these types, like task.completed; task. for all of tasks')
    .option('--limit <count>', 'how many at most', limit, 20)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn log', 'cairn log web-12', 'cairn log --type task.completed decision.'))
    .action(
      command(async (config, task: string | undefined, options: LogOptions) =>
        (await import('../log/log.ts')).runLog(config, task, options),
      ),
    );
  program
    .command('questions [task]')
    .description('show the unanswered questions of agents in full, for the project or a task')
    .option('--limit <count>', 'how many at most', limit, 20)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn questions', 'cairn questions web-12', 'cairn questions --json'))
    .action(
      command(async (config, task: string | undefined, options: QuestionsOptions) =>
        (await import('./questions.ts')).runQuestions(config, task, options),
      ),
    );
  program
    .command('search <words...>')
    .description(
      'search tasks, notes, decisions, checkpoints, artifacts and projects, and what runs printed, if switched on',
    )
    .addOption(new Option('--kind <kind...>', 'only these kinds').choices(KINDS))
    .option('--limit <count>', 'how many at most, up to 50', limit, 10)
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples('cairn search login', 'cairn search "rate limit" --kind decision', 'cairn search timeout --kind output'),
    )
    .action(
      command(async (config, words: string[], options: SearchOptions) =>
        (await import('./search.ts')).runSearch(config, words, options),
      ),
    );
}
