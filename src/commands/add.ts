import type { Config } from '../config.ts';
import { DomainError } from '../errors.ts';
import { CreateTasks, createTasks } from '../services/tasks.ts';
import { askLine, canAsk } from './ask.ts';
import { writeInEditor } from './editor.ts';
import { statusOf, taskTable } from './format.ts';
import { readInputText } from './import-source.ts';
import { answer, type JsonOption, paint } from './paint.ts';
import { asPerson, parseGiven } from './person.ts';
import { taskRef, taskRefs } from './refs.ts';
import { readTaskDocument, taskDocument } from './task-document.ts';

const TASKS_MAX = 50;
const MARKER = /^\s*(?:[-*+]|\d+[.)])?\s*(?:\[[ xX]?\]\s+)?/;
const EXPLANATION =
  'Write the task: its title behind #, what to know about it, and below the heading what shows that it is done.';

export type AddOptions = JsonOption & {
  description?: string;
  criterion?: string[];
  priority?: string;
  label?: string[];
  rank?: number;
  parent?: string;
  after?: string[];
  edit?: true;
};

/** `cairn add TITLE`, or a title a line from standard input: new tasks. */
export async function runAdd(config: Config, words: string[], options: AddOptions): Promise<void> {
  const given = await newTasks(words.join(' '), options);
  const { tasks } = await asPerson(config, async (ctx) => {
    const parent = options.parent && (await taskRef(ctx, options.parent));
    const dependencies = options.after && (await taskRefs(ctx, options.after));
    const { priority, label: labels, rank } = options;
    const about = { priority, labels, rank, parent, dependencies };
    return createTasks(ctx, parseGiven(CreateTasks, { tasks: given.map((task) => ({ ...task, ...about })) }));
  });
  answer({ tasks }, options, () => {
    const [task, ...others] = tasks;
    if (task === undefined || others.length > 0) return [`Added ${tasks.length} tasks.`, '', ...taskTable(tasks)];
    return [`Added ${paint('bold', task.ref)} "${task.title}" (${statusOf(task)}).`];
  });
}

async function newTasks(title: string, options: AddOptions): Promise<object[]> {
  const { description, criterion: acceptance_criteria } = options;
  if (options.edit) {
    const draft = { title, description, acceptance_criteria: acceptance_criteria ?? [] };
    return [readTaskDocument(await writeInEditor(taskDocument(draft), EXPLANATION))];
  }
  const titles = title === '' ? await titlesGiven(options) : [title];
  return titles.map((text) => ({ title: text, description, acceptance_criteria }));
}

/** A line of standard input is a title; a person at a terminal is asked for one. */
async function titlesGiven(options: AddOptions): Promise<string[]> {
  if (canAsk(options)) return [await askLine('What is to be done?')];
  const given = process.stdin.isTTY ? '' : await readInputText();
  const titles = given
    .split('\n')
    .map((line) => line.replace(MARKER, '').trim())
    .filter((line) => line !== '');
  if (titles.length === 0) {
    throw new DomainError('invalid_input', 'There is no title.', {
      hint: 'Give one, `cairn add "Write the docs"`, or one a line on standard input.',
    });
  }
  if (titles.length > TASKS_MAX) {
    throw new DomainError(
      'invalid_input',
      `${titles.length} tasks are more than the ${TASKS_MAX} that are added at once.`,
      {
        hint: 'Add fewer at a time, or take over the whole list with `cairn import PATH`.',
      },
    );
  }
  return titles;
}
