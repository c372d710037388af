import type * as z from 'zod';
import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { domainErrorFrom } from '../../errors.ts';
import {
  type ChangedTask,
  ClaimTask,
  CompleteTaskAsPerson,
  claimTask,
  completeTask,
  GetTask,
  getTask,
  releaseTask,
} from '../../services/tasks.ts';
import { inLocalContext, parseGiven } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { askLine, canAsk } from '../terminal/ask.ts';
import { type JsonOption, styled } from '../terminal/output.ts';
import { afterChange } from './changed.ts';
import { eachTask } from './each-task.ts';
import { refuseForeseen } from './foreseen.ts';
import { textOption } from './text-given.ts';

// Long enough for the completion that follows.
const CLAIM_SECONDS = 60;
const NUMBERED = /^(\d{1,2}):(?: |$)/;

export type CloseOptions = JsonOption & { summary?: string; evidence?: string[] };
type Task = Awaited<ReturnType<typeof getTask>>;

/** `cairn close REF`: completes tasks, with evidence for each criterion. */
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
          const task = await getTask(ctx, parseGiven(GetTask, { task: ref, timeline_size: 0 }));
          const given = { task: task.ref, summary, evidence: await evidenceFor(task, options) };
          const input = parseGiven(CompleteTaskAsPerson, given);
          await refuseForeseen(ctx, task, input.evidence);
          return close(ctx, task, input);
        },
        show: closedLines,
      },
    ),
  );
}

/** Completes a task; claims an unheld one for that moment, and releases it after a refusal. */
async function close(ctx: Context, task: Task, input: z.output<typeof CompleteTaskAsPerson>): Promise<ChangedTask> {
  if (task.status !== 'pending') return completeTask(ctx, input);
  const claim = parseGiven(ClaimTask, { task: task.ref, ttl_seconds: CLAIM_SECONDS });
  const { task: claimed } = await claimTask(ctx, claim);
  const lock_token = claimed?.lock_token;
  try {
    return await completeTask(ctx, { ...input, lock_token });
  } catch (error) {
    const reason = `It could not be closed: ${domainErrorFrom(error).message}`;
    // If this fails too, the claim ends by itself in a minute.
    await releaseTask(ctx, { task: task.ref, lock_token, outcome: 'paused', reason }).catch(() => {});
    throw error;
  }
}

/**
 * Collects the evidence for each criterion, by its number or for the next one; asks a person at a terminal for the
 * rest.
 */
async function evidenceFor(task: Task, options: CloseOptions): Promise<Evidence[] | undefined> {
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
  const unproven = task.unproven === undefined ? '' : ` Nothing shows criteria ${task.unproven.join(', ')}.`;
  return [`Closed ${styled('bold', task.ref)} "${task.title}".${unproven}`, ...afterChange(changed)];
}
