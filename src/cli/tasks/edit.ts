import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import type { Task } from '../../events/task-forms.ts';
import type { ChangedTask } from '../../services/tasks.ts';
import { person } from '../../tools/person.ts';
import { tasks as taskTools } from '../../tools/tasks.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { requirePerson } from '../require-person.ts';
import { canAsk } from '../terminal/ask.ts';
import { writeInEditor } from '../terminal/editor.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { afterChange } from './changed.ts';
import { taskRef, taskRefs } from './refs.ts';
import { readTaskDocument, taskDocument } from './task-document.ts';
import { textOption } from './text-given.ts';
import { warnOfVain } from './waiting.ts';

const TRIES_MAX = 10;
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
  /** `false`: --no-reviewer. */
  reviewer?: string | false;
  edit?: true;
};

/** `cairn edit REF`: changes a task, by options or as a whole in an editor. */
export async function runEdit(config: Config, given: string, options: EditOptions): Promise<void> {
  if (options.reviewer !== undefined) requirePerson(config);
  const changed = await inLocalContext(config, async (ctx) => {
    const ref = await taskRef(ctx, given);
    return again(replacesText(options) ? 1 : TRIES_MAX, () => edit(ctx, ref, options));
  });
  printResult(changed?.task ?? null, options, () =>
    changed === null
      ? ['Nothing was changed.']
      : [`Changed ${styled('bold', changed.task.ref)} "${changed.task.title}".`, ...afterChange(changed)],
  );
}

async function edit(ctx: Context, ref: string, options: EditOptions): Promise<ChangedTask | null> {
  const task = await perform(ctx, taskTools.commands.get_task, { task: ref, timeline_size: 0 });
  const change = async (changes: object) => {
    const input = { task: task.ref, ...changes, expected_version: task.version };
    const changed = await perform(ctx, person.update_task, input);
    if (options.parent || options.after) {
      const { dependencies } = await perform(ctx, taskTools.commands.get_task, { task: task.ref, timeline_size: 0 });
      warnOfVain(
        changed.task.parent,
        dependencies.map(({ ref }) => ref),
      );
    }
    return changed;
  };
  refuseContradictions(task, options);
  const changes = await changesGiven(ctx, task, options);
  const isSaid = Object.values(changes).some((value) => value !== undefined);
  if (isSaid && !options.edit) return change(changes);
  if (!canAsk(options) && !options.edit) throw unsaid();
  const { title = task.title, description = task.description } = changes;
  const { acceptance_criteria = task.acceptance_criteria } = changes;
  const before = taskDocument({ title, description, acceptance_criteria });
  return writeInEditor(before, EXPLANATION, async (after) => {
    const written = differences(before, after);
    return written === null && !isSaid ? null : change({ ...changes, ...written });
  });
}

/**
 * Tells whether the edit replaces text. An addition is retried when another was quicker; a text, from an editor too,
 * would overwrite theirs.
 */
function replacesText({ title, description, criterion, edit, json: _, ...others }: EditOptions): boolean {
  const isGiven = (value: unknown) => value !== undefined;
  return [title, description, criterion, edit].some(isGiven) || !Object.values(others).some(isGiven);
}

async function again<Done>(tries: number, run: () => Promise<Done>): Promise<Done> {
  for (let left = tries - 1; ; left -= 1) {
    try {
      return await run();
    } catch (error) {
      if (left === 0 || !(error instanceof DomainError && error.code === 'version_conflict')) throw error;
    }
  }
}

/** Raises invalid_input for an addition and removal of the same thing, and for a label that the task does not have. */
function refuseContradictions(
  { ref, labels = [] }: Task,
  { label, notLabel = [], after, notAfter }: EditOptions,
): void {
  refuseBoth('label', label, notLabel);
  refuseBoth('after', after, notAfter);
  const had = new Set(labels.map(folded));
  const unknown = notLabel.find((one) => !had.has(folded(one)));
  if (unknown === undefined) return;
  throw new DomainError('invalid_input', `${ref} has no label "${unknown}".`, {
    hint: labels.length === 0 ? 'It has none.' : `It has: ${labels.join(', ')}.`,
  });
}

function refuseBoth(name: string, added: string[] = [], removed: string[] = []): void {
  const away = new Set(removed.map(folded));
  const both = added.find((one) => away.has(folded(one)));
  if (both === undefined) return;
  throw mistyped(`--${name} and --not-${name} both say "${both}".`, 'Say one of them.');
}

async function changesGiven(ctx: Context, task: Task, options: EditOptions) {
  const { title, criterion: acceptance_criteria, priority, rank, reviewer, parent, after, notAfter } = options;
  return {
    title,
    description: await textOption(options.description),
    acceptance_criteria,
    priority,
    labels: labelsAfter(task.labels, options),
    rank: rank === false ? null : rank,
    reviewer: reviewer === false ? '' : reviewer,
    parent: parent === false ? '' : parent && (await taskRef(ctx, parent)),
    add_dependencies: after && (await taskRefs(ctx, after)),
    remove_dependencies: notAfter && (await taskRefs(ctx, notAfter)),
  };
}

function unsaid(): DomainError {
  return mistyped(
    'Change what?',
    'Name it with options (`cairn edit --help` lists them), or use --edit to write in an editor.',
  );
}

/** Returns a task's labels after additions and removals; undefined without any. */
function labelsAfter(before: string[] = [], { label = [], notLabel = [] }: EditOptions): string[] | undefined {
  if (label.length + notLabel.length === 0) return undefined;
  const away = new Set(notLabel.map(folded));
  return [...before.filter((one) => !away.has(folded(one))), ...label];
}

/** Folds a label: case and the encoding of accents do not count. */
function folded(label: string): string {
  return label.normalize('NFC').toLowerCase();
}

/** Returns a person's changes to a task's document; null for none. */
function differences(before: string, after: string): object | null {
  const old = new Map<string, unknown>(Object.entries(readTaskDocument(before)));
  const written = readTaskDocument(after);
  const changes = Object.entries(written).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(old.get(name)),
  );
  return changes.length === 0 ? null : Object.fromEntries(changes);
}
