import type { Config } from '../../config.ts';
import { listItem, withoutBox } from '../../formats/lines.ts';
import { CreateTasks, createTasks, TASKS_MAX } from '../../services/tasks.ts';
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
  const titles = words.length === 0 ? await titlesGiven(options) : [words.join(' ')];
  await add(
    config,
    titles.map((title) => ({ title, description, acceptance_criteria })),
    options,
  );
}

async function add(config: Config, given: object[], options: AddOptions): Promise<void> {
  const { tasks, ...followed } = await inLocalContext(config, async (ctx) => {
    const { priority, label: labels, rank } = options;
    const about = {
      priority,
      labels,
      rank,
      parent: options.parent && (await taskRef(ctx, options.parent)),
      discovered_from: options.discoveredFrom && (await taskRef(ctx, options.discoveredFrom)),
      dependencies: options.after && (await taskRefs(ctx, options.after)),
    };
    const created = await createTasks(
      ctx,
      parseGiven(CreateTasks, { tasks: given.map((task) => ({ ...task, ...about })) }),
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

/** Reads titles: each line of standard input, or item of a checklist, is one; asks a person at a terminal for one. */
async function titlesGiven(options: AddOptions): Promise<string[]> {
  if (canAsk(options)) return [await askLine('What is to be done?')];
  const given = process.stdin.isTTY ? '' : await readInputText();
  const lines = given.split('\n').filter((line) => line.trim() !== '');
  const items = lines.map((line) => withoutBox(listItem(line) ?? line.trim()));
  const open = items.filter(({ isTicked }) => !isTicked);
  if (open.length < items.length)
    process.stderr.write(`! ${items.length - open.length} that are done were left out.\n`);
  const titles = open.map(({ text }) => text.trim()).filter((title) => title !== '');
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
