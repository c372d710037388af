import type { Config } from '../../config.ts';
import type { Task } from '../../events/task-forms.ts';
import type { ChangedTask } from '../../services/tasks.ts';
import { person } from '../../tools/person.ts';
import { tasks as taskTools } from '../../tools/tasks.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { requirePerson } from '../require-person.ts';
import { askLine, canAsk } from '../terminal/ask.ts';
import { type JsonOption, styled } from '../terminal/output.ts';
import { afterChange } from './changed.ts';
import { eachTask } from './each-task.ts';
import { textOption } from './text-given.ts';

const NUMBERED = /^(\d{1,2}):(?: |$)/;

export type CloseOptions = JsonOption & { summary?: string; evidence?: string[] };

/** `cairn close REF`: completes tasks, with evidence for each criterion, or submits them to who checks them. */
export async function runClose(config: Config, given: string[], options: CloseOptions): Promise<void> {
  if (given.length > 1 && options.evidence !== undefined) {
    throw mistyped('The same evidence cannot be for several tasks.', 'Close each with its own --evidence.');
  }
  const summary = await textOption(options.summary);
  await inLocalContext(config, (ctx) =>
    eachTask(
      ctx,
      { ...options, given },
      {
        async act(ref) {
          const task = await perform(ctx, taskTools.commands.get_task, { task: ref, timeline_size: 0 });
          if (task.reviewer !== undefined) requirePerson(config);
          const given = { task: task.ref, summary, evidence: await evidenceFor(task, options) };
          if (task.status === 'pending') return perform(ctx, person.complete_unheld_task, given);
          return perform(ctx, person.complete_task, given);
        },
        show: closedLines,
      },
    ),
  );
}

/**
 * Collects the evidence for each criterion, by its number or for the next one; asks a person at a terminal for the
 * rest.
 */
async function evidenceFor(
  task: Pick<Task, 'ref' | 'acceptance_criteria'>,
  options: CloseOptions,
): Promise<Evidence[] | undefined> {
  const said = numbered(options.evidence ?? []);
  // Evidence from before a reopening no longer counts.
  const shown = new Set(said.map(({ criterion }) => criterion));
  for (const [at, text] of canAsk(options) ? task.acceptance_criteria.entries() : []) {
    if (shown.has(at + 1)) continue;
    const note = await askLine(`${task.ref}: what shows that this is met? ${text}`, { optional: true });
    if (note !== '') said.push({ criterion: at + 1, note });
  }
  return said.length === 0 ? undefined : said;
}

type Evidence = { criterion: number; note: string };

/** Reads `2: text` as evidence for the second criterion; unnumbered text goes to the first criterion without one. */
function numbered(given: string[]): Evidence[] {
  const numbers = given.map((text) => NUMBERED.exec(text)?.[1]);
  const taken = new Set(numbers.map(Number));
  let next = 0;
  return given.map((text, at) => {
    const number = numbers[at];
    if (number !== undefined) return { criterion: Number(number), note: text.slice(number.length + 1).trim() };
    do next += 1;
    while (taken.has(next));
    return { criterion: next, note: text };
  });
}

function closedLines(changed: ChangedTask): string[] {
  const { task } = changed;
  if (task.submitted) {
    return [
      `Not closed yet: ${styled('bold', task.ref)} "${task.title}". ${task.blocked_reason ?? ''}`,
      ...afterChange(changed),
    ];
  }
  const unproven = task.unproven === undefined ? '' : ` Nothing shows criteria ${task.unproven.join(', ')}.`;
  return [`Closed ${styled('bold', task.ref)} "${task.title}".${unproven}`, ...afterChange(changed)];
}
