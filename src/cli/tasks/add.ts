import type { Config } from '../../config.ts';
import { TASKS_MAX } from '../../services/tasks.ts';
import { runCommand } from '../../tools/command.ts';
import { tasks as taskTools } from '../../tools/tasks.ts';
import { inLocalContext, parseGiven } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { readInputText } from '../move/import-source.ts';
import { askLine, canAsk } from '../terminal/ask.ts';
import { writeInEditor } from '../terminal/editor.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { statusOf, taskTable } from '../terminal/table.ts';
import { consequenceLines } from './changed.ts';
import { taskRef, taskRefs } from './refs.ts';
import { readTaskDocument, taskDocument } from './task-document.ts';
import { textOption } from './text-given.ts';
import { type TitleGiven, titlesOf } from './titles-given.ts';
import { warnOfVain } from './waiting.ts';

const EXPLANATION =
  'Write the task: its title behind #, what to know about it, and below the heading what shows that it is done.';

export type AddOptions = JsonOption & {
  description?: string;
  criterion?: string[];
  priority?: string;
  label?: string[];
  rank?: number;
  parent?: string;
  discoveredFrom?: string;
  after?: string[];
  reviewer?: string;
  edit?: true;
};

/** `cairn add TITLE`, or one title per line from standard input: creates tasks. */
export async function runAdd(config: Config, words: string[], options: AddOptions): Promise<void> {
  const { criterion: acceptance_criteria = [] } = options;
  const description = await textOption(options.description);
  if (options.edit) {
    const draft = taskDocument({ title: words.join(' '), description, acceptance_criteria });
    return writeInEditor(draft, EXPLANATION, (written) => add(config, [readTaskDocument(written)], options));
  }
  const given = words.length === 0 ? await titlesGiven(options) : [{ title: words.join(' ') }];
  await add(
    config,
    given.map((title) => ({ ...title, description, acceptance_criteria })),
    options,
  );
}

/** `line` is a task's line of standard input, for refusals. */
async function add(config: Config, given: (object & { line?: number })[], options: AddOptions): Promise<void> {
  const { tasks, ...followed } = await inLocalContext(config, async (ctx) => {
    const { priority, label: labels, rank, reviewer } = options;
    const about = {
      priority,
      labels,
      rank,
      reviewer,
      parent: options.parent && (await taskRef(ctx, options.parent)),
      discovered_from: options.discoveredFrom && (await taskRef(ctx, options.discoveredFrom)),
      dependencies: options.after && (await taskRefs(ctx, options.after)),
    };
    const tasks = given.map(({ line: _, ...task }) => ({ ...task, ...about }));
    const created = await runCommand(ctx, taskTools.commands.create_tasks, (input) =>
      parseGiven(input, { tasks }, ([, at]) => {
        const line = given.length > 1 ? given[Number(at)]?.line : undefined;
        return line === undefined ? '' : ` in line ${line}`;
      }),
    );
    warnOfVain(about.parent, about.dependencies || []);
    return created;
  });
  printResult({ tasks }, options, () => {
    const [task, ...others] = tasks;
    const added =
      task === undefined || others.length > 0
        ? [`Added ${tasks.length} tasks.`, '', ...taskTable(tasks)]
        : [`Added ${styled('bold', task.ref)} "${task.title}" (${statusOf(task)}).`];
    return [...added, ...consequenceLines(followed)];
  });
}

/** Reads titles from standard input; asks a person at a terminal for one. */
async function titlesGiven(options: AddOptions): Promise<TitleGiven[]> {
  if (canAsk(options)) return [{ title: await askLine('What is to be done?'), line: 1 }];
  const { titles, ended, headings } = titlesOf(process.stdin.isTTY ? '' : await readInputText());
  if (ended > 0) process.stderr.write(`! Left out ${ended} ${ended === 1 ? 'item' : 'items'} marked as ended.\n`);
  if (headings > 0) process.stderr.write(`! Left out ${headings} ${headings === 1 ? 'heading' : 'headings'}.\n`);
  if (titles.length === 0) {
    throw mistyped('There is no title.', 'Give one, `cairn add "Write the docs"`, or one a line on standard input.');
  }
  if (titles.length > TASKS_MAX) {
    throw mistyped(
      `${titles.length} tasks are more than the ${TASKS_MAX} that are added at once.`,
      'Add fewer at a time, or take over the whole list with `cairn import PATH`.',
    );
  }
  return titles;
}
