import type { Config } from '../config.ts';
import { DomainError } from '../errors.ts';
import { GetTask, getTask, UpdateTaskAsPerson, updateTask } from '../services/tasks.ts';
import { canAsk } from './ask.ts';
import { writeInEditor } from './editor.ts';
import { answer, type JsonOption, paint } from './paint.ts';
import { asPerson, parseGiven } from './person.ts';
import { taskRef, taskRefs } from './refs.ts';
import { readTaskDocument, taskDocument } from './task-document.ts';

const EXPLANATION = 'Change what is to be changed, save and close. Nothing changed changes nothing.';

export type EditOptions = JsonOption & {
  title?: string;
  description?: string;
  criterion?: string[];
  priority?: string;
  label?: string[];
  notLabel?: string[];
  /** `false`: --no-rank. */
  rank?: number | false;
  /** `false`: --no-parent. */
  parent?: string | false;
  after?: string[];
  notAfter?: string[];
};

/** `cairn edit REF`: changes a task, by options or as a whole in an editor. */
export async function runEdit(config: Config, given: string, options: EditOptions): Promise<void> {
  const changed = await asPerson(config, async (ctx) => {
    const ref = await taskRef(ctx, given);
    const task = await getTask(ctx, parseGiven(GetTask, { task: ref, timeline_size: 0 }));
    const { title, description, criterion: acceptance_criteria, priority, rank, parent, after, notAfter } = options;
    const changes = {
      title,
      description,
      acceptance_criteria,
      priority,
      labels: labelsAfter(task.labels, options),
      rank: rank === false ? null : rank,
      parent: parent === false ? '' : parent && (await taskRef(ctx, parent)),
      add_dependencies: after && (await taskRefs(ctx, after)),
      remove_dependencies: notAfter && (await taskRefs(ctx, notAfter)),
    };
    const wanted = Object.values(changes).some((value) => value !== undefined)
      ? changes
      : await inEditor(task, options);
    if (wanted === null) return null;
    const { task: done } = await updateTask(
      ctx,
      parseGiven(UpdateTaskAsPerson, { task: ref, ...wanted, expected_version: task.version }),
    );
    return done;
  });
  answer(changed, options, (task) =>
    task === null ? ['Nothing was changed.'] : [`Changed ${paint('bold', task.ref)} "${task.title}".`],
  );
}

/** The labels that a task has after some are added and some taken away; undefined where nothing is asked. */
function labelsAfter(before: string[] = [], { label = [], notLabel = [] }: EditOptions): string[] | undefined {
  if (label.length + notLabel.length === 0) return undefined;
  const away = new Set(notLabel.map((one) => one.toLowerCase()));
  return [...before.filter((one) => !away.has(one.toLowerCase())), ...label];
}

type Editable = Parameters<typeof taskDocument>[0];

/** What a person changed of it in an editor; null for nothing. */
async function inEditor(task: Editable, options: JsonOption): Promise<object | null> {
  if (!canAsk(options)) {
    throw new DomainError('invalid_input', 'It is not said what to change.', {
      hint: 'Say it with options: `cairn edit --help` lists them. In a terminal an editor opens.',
    });
  }
  const before = taskDocument(task);
  const after = await writeInEditor(before, EXPLANATION);
  const [old, written] = [readTaskDocument(before), readTaskDocument(after)];
  const changes = Object.entries(written).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(old[name as keyof Editable]),
  );
  return changes.length === 0 ? null : Object.fromEntries(changes);
}
