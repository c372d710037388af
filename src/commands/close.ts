import type * as z from 'zod';
import type { Config } from '../config.ts';
import type { Context } from '../context.ts';
import { domainErrorFrom } from '../errors.ts';
import {
  type ChangedTask,
  CompleteTaskAsPerson,
  claimTask,
  completeTask,
  GetTask,
  getTask,
  releaseTask,
} from '../services/tasks.ts';
import { askLine, canAsk } from './ask.ts';
import { answer, type JsonOption, paint } from './paint.ts';
import { asPerson, parseGiven } from './person.ts';
import { taskRefs } from './refs.ts';

// Long enough for the completion behind it.
const CLAIM_SECONDS = 60;
const NUMBERED = /^(\d{1,2})\s*[=:]\s*/;

export type CloseOptions = JsonOption & { summary?: string; evidence?: string[] };
type Task = Awaited<ReturnType<typeof getTask>>;

/** `cairn close REF`: completes tasks, with what shows that each criterion is met. */
export async function runClose(config: Config, given: string[], options: CloseOptions): Promise<void> {
  await asPerson(config, async (ctx) => {
    const closed: ChangedTask[] = [];
    for (const ref of await taskRefs(ctx, given)) {
      const task = await getTask(ctx, parseGiven(GetTask, { task: ref, timeline_size: 0 }));
      const input = { task: ref, summary: options.summary, evidence: await evidenceFor(task, options) };
      closed.push(await close(ctx, task, parseGiven(CompleteTaskAsPerson, input)));
    }
    answer(closed.length === 1 ? closed[0] : closed, options, () => closed.flatMap(closedLines));
  });
}

/** Whoever closes what nobody holds takes it for that moment; a refusal gives it back. */
async function close(ctx: Context, task: Task, input: z.output<typeof CompleteTaskAsPerson>): Promise<ChangedTask> {
  if (task.status !== 'pending') return completeTask(ctx, input);
  const { task: claimed } = await claimTask(ctx, { task: task.ref, ttl_seconds: CLAIM_SECONDS, take_over: false });
  try {
    return await completeTask(ctx, { ...input, lock_token: claimed?.lock_token });
  } catch (error) {
    const reason = `It could not be closed: ${domainErrorFrom(error).message}`;
    await releaseTask(ctx, { task: task.ref, lock_token: claimed?.lock_token, outcome: 'paused', reason });
    throw error;
  }
}

/** What was said for each criterion, in order or by its number; a person at a terminal is asked for the rest. */
async function evidenceFor(task: Task, options: CloseOptions): Promise<object[] | undefined> {
  const said = (options.evidence ?? []).map((text, at) => {
    const [numbered, number] = NUMBERED.exec(text) ?? [];
    return { criterion: number === undefined ? at + 1 : Number(number), note: text.slice(numbered?.length ?? 0) };
  });
  const shown = new Set([...said, ...(task.evidence ?? [])].map(({ criterion }) => criterion));
  for (const [at, text] of canAsk(options) ? task.acceptance_criteria.entries() : []) {
    if (shown.has(at + 1)) continue;
    const note = await askLine(`${task.ref}: what shows that this is met? ${text}`, { optional: true });
    if (note !== '') said.push({ criterion: at + 1, note });
  }
  return said.length === 0 ? undefined : said;
}

function closedLines({ task, freed }: ChangedTask): string[] {
  const unproven = task.unproven === undefined ? '' : ` Nothing shows criteria ${task.unproven.join(', ')}.`;
  return [
    `Closed ${paint('bold', task.ref)} "${task.title}".${unproven}`,
    ...(freed === undefined ? [] : [`Ready now: ${freed.join(', ')}.`]),
  ];
}
