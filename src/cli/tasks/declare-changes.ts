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
    .description('add a task; without a title, one for each line of standard input')
    .option('-d, --description <text>', 'what to know about it; - reads standard input')
    .option('--criterion <text>', 'what shows that it is done; repeatable', repeated)
    .addOption(new Option('-p, --priority <priority>', 'how urgent it is').choices(PRIORITIES))
    .option('-l, --label <text>', 'a label; repeatable', repeated)
    .option('--rank <number>', 'its place among those of its priority, the lowest first', numeric)
    .option('--parent <task>', 'the task that it is a part of')
    .option('--after <task>', 'a task that has to be completed first; repeatable', repeated)
    .option('--discovered-from <task>', 'the task during which it was found')
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
    .option('--criterion <text>', 'its acceptance criteria, in place of those there are; repeatable', repeated)
    .addOption(new Option('-p, --priority <priority>', 'how urgent it is').choices(PRIORITIES))
    .option('-l, --label <text>', 'one more label; repeatable', repeated)
    .option('--not-label <text>', 'a label that it loses; repeatable', repeated)
    .option('--rank <number>', 'its place among those of its priority, the lowest first', numeric)
    .option('--no-rank', 'behind those that have one')
    .option('--parent <task>', 'the task that it is a part of')
    .option('--no-parent', 'part of no task')
    .option('--after <task>', 'a task that has to be completed first; repeatable', repeated)
    .option('--not-after <task>', 'one that it waits for no longer; repeatable', repeated)
    .option('-e, --edit', 'in an editor, as in a terminal without other options')
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
    .description('take a task, the best ready one by default, so that no agent does')
    .option('-l, --label <text>', 'only one with this label; repeatable', repeated)
    .addOption(
      new Option('--for <time>', 'how long it is yours, at most 24h')
        .argParser(duration)
        .default(duration(WORK_DAY), WORK_DAY),
    )
    .option('--take-over', 'also where another session of yours holds it')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn claim', 'cairn claim web-12 --for 2h'))
    .action(
      command(async (config, task: string | undefined, options: ClaimOptions) =>
        (await import('./claim.ts')).runClaim(config, task, options),
      ),
    );
  program
    .command('release <task...>')
    .description('give tasks back that you hold, or that an agent holds which is gone')
    .option('-m, --reason <text>', 'what the next one should know')
    .option('--failed', 'it could not be done: an attempt that counts')
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
    .description('complete tasks; a terminal asks what shows each criterion')
    .option('-m, --summary <text>', 'what was done, for those who build on it; - reads standard input')
    .option('--evidence <text>', 'what shows a criterion, in their order or as "2: text"; repeatable', repeated)
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
    description: 'cancel tasks; what waits for them is blocked until somebody decides',
    reason: 'Out of scope.',
  });
  addStatusChange(program, {
    verb: 'reopen',
    status: 'reopened',
    description: 'open completed or cancelled tasks again',
    reason: 'It broke on Windows.',
  });
  addStatusChange(program, {
    verb: 'block',
    status: 'blocked',
    description: 'keep tasks from being claimed until somebody unblocks them',
    reason: 'Waits for the contract.',
  });
  addStatusChange(program, {
    verb: 'unblock',
    status: 'unblocked',
    description: 'unblock tasks, also one that was given up as often as its project allows',
    reason: 'The tests run again.',
  });
}

type Verb = { verb: string; status: StatusChange['status']; description: string; reason: string };

function addStatusChange(program: Command, { verb, status, description, reason }: Verb): void {
  program
    .command(`${verb} <task...>`)
    .description(description)
    .option('-m, --reason <text>', 'why; it stays on the record')
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
    .description('say something about a task, or without one about the project; long texts in an editor')
    .addOption(new Option('--kind <kind>', 'what it is').choices(NOTES))
    .option('--task <task>', 'the task that it is about')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn note web-12 "The API is behind a flag."', 'cairn note < minutes.md'))
    .action(
      command(async (config, words: string[], options: NoteOptions) =>
        (await import('./note.ts')).runNote(config, words, options),
      ),
    );
  program
    .command('answer [words...]')
    .description("answer an agent's question, named by its number or its task; the only open one by default")
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
    .description('approve a task as a person, for a gate that asks for it')
    .option('--note <text>', 'what to say with it')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn approve web-12 --note "Reviewed."'))
    .action(
      command(async (config, task: string, options: JsonOption & { note?: string }) =>
        (await import('./approve.ts')).runApprove(config, task, options),
      ),
    );
  program
    .command('attach')
    .description('add an artifact to a task, as a pull request or a report')
    .argument('<task>')
    .addArgument(new Argument('<type>', 'what it is').choices(ARTIFACTS))
    .argument('<link>', 'where it is')
    .option('--summary <text>', 'what is in it')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn attach web-12 pr https://github.com/acme/web/pull/7'))
    .action(
      command(async (config, ...[task, type, link, options]: [string, string, string, AttachOptions]) =>
        (await import('./attach.ts')).runAttach(config, { task, type, link }, options),
      ),
    );
}
