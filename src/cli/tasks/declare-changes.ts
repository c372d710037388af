import { Argument, type Command, Option } from 'commander';
import type { StatusChange } from '../../events/tasks.ts';
import { command, duration, examples, JSON_OPTION, numeric, repeated } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { AddOptions } from './add.ts';
import type { AttachOptions } from './attach.ts';
import type { ClaimOptions } from './claim.ts';
import type { CloseOptions } from './close.ts';
import { PRIORITIES } from './declare.ts';
import type { EditOptions } from './edit.ts';
import type { NoteOptions } from './note.ts';
import type { ReleaseOptions } from './release.ts';
import type { ReasonOption } from './status-change.ts';

const NOTES = ['note', 'question', 'progress', 'risk'];
const ARTIFACTS = ['diff', 'pr', 'test_report', 'document', 'other'];
const WORK_DAY = '8h';

/** Adds the commands by which a person changes tasks. */
export function addChangeCommands(program: Command): void {
  addPlanningCommands(program);
  addHoldingCommands(program);
  addEndingCommands(program);
  addTalkingCommands(program);
}

function addPlanningCommands(program: Command): void {
  program
    .command('add [title...]')
    .description('add a task; without a title, one task per line of standard input')
    .option('-d, --description <text>', 'its description; - reads standard input')
    .option('--criterion <text>', 'an acceptance criterion; repeatable', repeated)
    .addOption(new Option('-p, --priority <priority>', 'its priority').choices(PRIORITIES))
    .option('-l, --label <text>', 'a label; repeatable', repeated)
    .option('--rank <number>', 'its order within its priority, the lowest first', numeric)
    .option('--parent <task>', 'the task that it is part of')
    .option('--after <task>', 'a task that must be completed first; repeatable', repeated)
    .option('--discovered-from <task>', 'the task during which it was discovered')
    .option('--reviewer <name>', 'a person or an agent who checks it before it counts as done')
    .option('-e, --edit', 'write it in an editor')
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples('cairn add "Write the docs" --priority high --after web-3', 'cairn add < titles.txt'),
    )
    .action(
      command(async (config, words: string[], options: AddOptions) =>
        (await import('./add.ts')).runAdd(config, words, options),
      ),
    );
  program
    .command('edit <task>')
    .description('change a task, by options or in an editor')
    .option('-t, --title <text>', 'a new title')
    .option('-d, --description <text>', 'a new description; - reads standard input')
    .option('--criterion <text>', 'an acceptance criterion, replacing the existing ones; repeatable', repeated)
    .addOption(new Option('-p, --priority <priority>', 'its priority').choices(PRIORITIES))
    .option('-l, --label <text>', 'a label to add; repeatable', repeated)
    .option('--not-label <text>', 'a label to remove; repeatable', repeated)
    .option('--rank <number>', 'its order within its priority, the lowest first', numeric)
    .option('--no-rank', 'remove its rank; it comes after tasks that have one')
    .option('--parent <task>', 'the task that it is part of')
    .option('--no-parent', 'remove its parent')
    .option('--after <task>', 'a task that must be completed first; repeatable', repeated)
    .option('--not-after <task>', 'a dependency to remove; repeatable', repeated)
    .option('--reviewer <name>', 'a person or an agent who checks it before it counts as done')
    .option('--no-reviewer', 'let it be completed without a review')
    .option('-e, --edit', 'edit it in an editor; the default in a terminal without other options')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn edit web-12', 'cairn edit 12 --priority critical --after web-3'))
    .action(
      command(async (config, task: string, options: EditOptions) =>
        (await import('./edit.ts')).runEdit(config, task, options),
      ),
    );
}

function addHoldingCommands(program: Command): void {
  program
    .command('claim [task]')
    .description('claim a task, by default the best ready one, so that no agent takes it')
    .option('-l, --label <text>', 'only a task with this label; repeatable', repeated)
    .addOption(
      new Option('--for <time>', 'how long you hold it, at most 24h')
        .argParser(duration)
        .default(duration(WORK_DAY), WORK_DAY),
    )
    .option('--take-over', 'take it over from another session of yours')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn claim', 'cairn claim web-12 --for 2h'))
    .action(
      command(async (config, task: string | undefined, options: ClaimOptions) =>
        (await import('./claim.ts')).runClaim(config, task, options),
      ),
    );
  program
    .command('release <task...>')
    .description('release tasks held by you or by an agent that is gone')
    .option('-m, --reason <text>', 'the reason, for the agent that claims it next')
    .option('--failed', 'count it as a failed attempt')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn release web-12 --reason "The agent is gone; its branch is pushed."'))
    .action(
      command(async (config, tasks: string[], options: ReleaseOptions) =>
        (await import('./release.ts')).runRelease(config, tasks, options),
      ),
    );
}

function addEndingCommands(program: Command): void {
  program
    .command('close <task...>')
    .description('complete tasks; in a terminal, asks for the evidence of each criterion')
    .option('-m, --summary <text>', 'what was done, for later tasks; - reads standard input')
    .option('--evidence <text>', 'evidence for a criterion, in their order or as "2: text"; repeatable', repeated)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn close web-12 --summary "Merged." --evidence "2: npm test: 48 passed"'))
    .action(
      command(async (config, tasks: string[], options: CloseOptions) =>
        (await import('./close.ts')).runClose(config, tasks, options),
      ),
    );
  addStatusChange(program, {
    verb: 'cancel',
    status: 'cancelled',
    description: 'cancel tasks; pending tasks that depend on them become blocked',
    reason: 'Out of scope.',
  });
  addStatusChange(program, {
    verb: 'reopen',
    status: 'reopened',
    description: 'reopen completed or cancelled tasks',
    reason: 'It broke on Windows.',
  });
  addStatusChange(program, {
    verb: 'block',
    status: 'blocked',
    description: 'block tasks: nobody can claim them until they are unblocked',
    reason: 'Waits for the contract.',
  });
  addStatusChange(program, {
    verb: 'unblock',
    status: 'unblocked',
    description: 'unblock tasks, also those that have used up their attempts',
    reason: 'The tests run again.',
  });
}

type Verb = { verb: string; status: StatusChange['status']; description: string; reason: string };

function addStatusChange(program: Command, { verb, status, description, reason }: Verb): void {
  program
    .command(`${verb} <task...>`)
    .description(description)
    .option('-m, --reason <text>', 'the reason, kept in the log')
    .option(...JSON_OPTION)
    .addHelpText('after', examples(`cairn ${verb} web-12 --reason "${reason}"`))
    .action(
      command(async (config, given: string[], options: ReasonOption) =>
        (await import('./status-change.ts')).runStatusChange(config, { given, status }, options),
      ),
    );
}

function addTalkingCommands(program: Command): void {
  program
    .command('note [words...]')
    .description('add a note to a task, or to the project; without words, in an editor')
    .addOption(new Option('--kind <kind>', 'the kind of note').choices(NOTES))
    .option('--task <task>', 'the task that the note is about')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn note web-12 "The API is behind a flag."', 'cairn note < minutes.md'))
    .action(
      command(async (config, words: string[], options: NoteOptions) =>
        (await import('./note.ts')).runNote(config, words, options),
      ),
    );
  program
    .command('answer [words...]')
    .description("answer an agent's question, named by its number or its task; by default the only open one")
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples(
        'cairn answer 41 "Use the staging account."',
        'cairn answer web-12',
        'cairn answer "The staging account."',
      ),
    )
    .action(
      command(async (config, words: string[], options: JsonOption) =>
        (await import('./note.ts')).runAnswer(config, words, options),
      ),
    );
  program
    .command('approve <task>')
    .description('approve a task as a person, for a gate that requires it')
    .option('--note <text>', 'a note to record with the approval')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn approve web-12 --note "Reviewed."'))
    .action(
      command(async (config, task: string, options: JsonOption & { note?: string }) =>
        (await import('./approve.ts')).runApprove(config, task, options),
      ),
    );
  program
    .command('attach')
    .description('add an artifact to a task, such as a pull request or a report')
    .argument('<task>')
    .addArgument(new Argument('<type>', 'the type of artifact').choices(ARTIFACTS))
    .argument('<link>', 'its URL or path')
    .option('--summary <text>', 'a summary of the artifact')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn attach web-12 pr https://github.com/acme/web/pull/7'))
    .action(
      command(async (config, ...[task, type, link, options]: [string, string, string, AttachOptions]) =>
        (await import('./attach.ts')).runAttach(config, { task, type, link }, options),
      ),
    );
}
