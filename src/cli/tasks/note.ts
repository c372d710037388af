import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import { getPosition } from '../../events/feed.ts';
import type { QuestionPage } from '../../services/events.ts';
import { events as eventTools } from '../../tools/events.ts';
import { person } from '../../tools/person.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { type JsonOption, printResult } from '../terminal/output.ts';
import { taskNamed, taskRef } from './refs.ts';
import { withText } from './text-given.ts';

const QUESTION = /^#?(\d+)$/;
const LISTED_MAX = 20;
const LISTS = '`cairn questions` shows the open ones with their numbers.';

export type NoteOptions = JsonOption & { kind?: string; task?: string };

/** `cairn note [REF] TEXT`: adds a note to a task, or to the project if the first word names no task. */
export async function runNote(config: Config, words: string[], options: NoteOptions): Promise<void> {
  await inLocalContext(config, async (ctx) => {
    const { task, rest } = await aboutWhich(ctx, words, options);
    const noted = await withText(rest, { ...options, explanation: 'Say something.' }, (text) =>
      perform(ctx, eventTools.commands.record_event, { task, kind: options.kind, text }),
    );
    printResult(noted, options, ({ seq, about, kind }) => [`Noted #${seq} (${kind}) on ${about}.`]);
  });
}

/** Returns the task, named first or by --task. A number before several words is a word: `2 tests fail`. */
async function aboutWhich(
  ctx: Context,
  words: string[],
  { task }: NoteOptions,
): Promise<{ task: string | undefined; rest: string[] }> {
  if (task !== undefined) return { task: await taskRef(ctx, task), rest: words };
  const [first = '', ...rest] = words;
  const isCount = /^\d+$/.test(first) && rest.length > 1;
  const named = first === '' || isCount ? undefined : await taskNamed(ctx, first);
  return { task: named, rest: named === undefined ? words : rest };
}

/**
 * `cairn answer QUESTION TEXT`: answers an agent's question, named by its number or its task; the only open one needs
 * no name.
 */
export async function runAnswer(config: Config, words: string[], options: JsonOption): Promise<void> {
  await inLocalContext(config, async (ctx) => {
    const { question, rest } = await findQuestion(ctx, words);
    const { task, seq } = question;
    const explanation = `The question was:\n\n${question.text}`;
    const noted = await withText(rest, { ...options, explanation }, (text) =>
      perform(ctx, eventTools.commands.record_event, { task, kind: 'answer', text, answers: String(seq) }),
    );
    printResult(noted, options, ({ about }) => [`Answered #${seq} on ${about}.`]);
  });
}

type Question = { seq: number; text: string; task?: string | undefined };

/**
 * Finds the question, named by its number in the log, or by the task of which it is the only open one, or not at all if
 * it is the only one of the project. Returns it and the words of the answer. Raises not_found with the numbers if there
 * are several.
 */
async function findQuestion(ctx: Context, words: string[]): Promise<{ question: Question; rest: string[] }> {
  const [which = '', ...rest] = words;
  const [, number] = QUESTION.exec(which) ?? [];
  if (number !== undefined) return { question: await questionAt(ctx, Number(number)), rest };
  const task = which === '' ? undefined : await taskNamed(ctx, which);
  const found = await perform(ctx, person.list_questions, { task, page_size: LISTED_MAX });
  const [only, ...others] = found.questions;
  if (only !== undefined && others.length === 0) return { question: only, rest: task === undefined ? words : rest };
  throw notOne(found, task === undefined ? '' : ` of ${task}`);
}

function notOne({ questions, open, next_cursor }: QuestionPage, of: string): DomainError {
  if (questions.length === 0) {
    return new DomainError('not_found', `There is no open question${of}.`, { hint: LISTS });
  }
  const numbers = questions.map(({ seq }) => seq).join(', ');
  return new DomainError('not_found', `There are ${open} open questions${of}.`, {
    hint: `Name one by its number: ${numbers}${next_cursor === undefined ? '' : ', …'}. \`cairn questions\` shows them.`,
  });
}

async function questionAt(ctx: Context, seq: number): Promise<Question> {
  const position = await getPosition(ctx);
  const page =
    seq >= 1 && seq <= position
      ? await perform(ctx, eventTools.commands.list_events, { after_seq: seq - 1, page_size: 1, include_data: true })
      : { events: [] };
  const found = page.events.find((event) => event.seq === seq);
  if (found?.kind === 'question') return { ...found, text: String(found.data?.['text']) };
  throw new DomainError('not_found', `#${seq} is no question of this project.`, {
    hint: LISTS,
  });
}
