import type { Config } from '../config.ts';
import type { Context } from '../context.ts';
import { DomainError } from '../errors.ts';
import {
  getPosition,
  ListEvents,
  ListQuestions,
  listEvents,
  listQuestions,
  type QuestionPage,
  RecordEvent,
  recordEvent,
} from '../services/events.ts';
import { canAsk } from './ask.ts';
import { writeInEditor } from './editor.ts';
import { readInputText } from './import-source.ts';
import { answer, type JsonOption } from './paint.ts';
import { asPerson, parseGiven } from './person.ts';
import { taskRef } from './refs.ts';

const TASK = /^(?:#?\d+|[a-z][a-z0-9-]*-\d+)$/i;
const QUESTION = /^#?(\d+)$/;
const LISTED_MAX = 20;
const LISTS = '`cairn questions` shows the open ones with their numbers.';

export type NoteOptions = JsonOption & { kind?: string };

/** `cairn note [REF] TEXT`: says something about a task, or about the project when the first word is no ref. */
export async function runNote(config: Config, words: string[], options: NoteOptions): Promise<void> {
  const [first = '', ...rest] = words;
  const about = TASK.test(first) ? first : undefined;
  const text = await textGiven(about === undefined ? words : rest, options);
  const noted = await asPerson(config, async (ctx) => {
    const task = about && (await taskRef(ctx, about));
    return recordEvent(ctx, parseGiven(RecordEvent, { task, kind: options.kind, text }));
  });
  answer(noted, options, ({ seq, about, kind }) => [`Noted #${seq} (${kind}) on ${about}.`]);
}

/** `cairn answer QUESTION TEXT`: answers an agent's question, named by its number or by its task; the only open one goes without. */
export async function runAnswer(config: Config, words: string[], options: JsonOption): Promise<void> {
  await asPerson(config, async (ctx) => {
    const { question, said } = await findQuestion(ctx, words);
    const text = await textGiven(said, options, question.text);
    const { task, seq } = question;
    const noted = await recordEvent(ctx, parseGiven(RecordEvent, { task, kind: 'answer', text, answers: String(seq) }));
    answer(noted, options, ({ about }) => [`Answered #${seq} on ${about}.`]);
  });
}

type Question = { seq: number; text: string; task?: string | undefined };

/**
 * The question that is meant, and the words of the answer: named by its number in the log, by the task of which it is the only
 * open one, or not at all where it is the only open one of the project. Raises not_found with the numbers of several.
 */
async function findQuestion(ctx: Context, words: string[]): Promise<{ question: Question; said: string[] }> {
  const [which = '', ...rest] = words;
  const [, number] = QUESTION.exec(which) ?? [];
  if (number !== undefined) return { question: await questionAt(ctx, Number(number)), said: rest };
  const ref = which === '' ? '' : await taskRef(ctx, which);
  const task = TASK.test(ref) ? ref : undefined;
  const found = await listQuestions(ctx, parseGiven(ListQuestions, { task, page_size: LISTED_MAX }));
  const [only, ...others] = found.questions;
  if (only !== undefined && others.length === 0) return { question: only, said: task === undefined ? words : rest };
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
      ? await listEvents(ctx, parseGiven(ListEvents, { after_seq: seq - 1, page_size: 1, include_data: true }))
      : { events: [] };
  const found = page.events.find((event) => event.seq === seq);
  if (found?.kind === 'question') return { ...found, text: String(found.data?.['text']) };
  throw new DomainError('not_found', `#${seq} is no question of this project.`, {
    hint: LISTS,
  });
}

/** The words, else standard input; a person at a terminal writes in their editor. Raises invalid_input for nothing. */
async function textGiven(words: string[], options: JsonOption, question?: string): Promise<string> {
  const text = words.length > 0 ? words.join(' ') : await textWritten(options, question);
  if (text.trim() !== '') return text;
  throw new DomainError('invalid_input', 'There is nothing to say.', {
    hint: 'Give the text behind, in quotes, or on standard input.',
  });
}

async function textWritten(options: JsonOption, question: string | undefined): Promise<string> {
  if (!canAsk(options)) return process.stdin.isTTY ? '' : await readInputText();
  // The comment that holds the question ends with its own mark.
  return writeInEditor(
    '',
    question === undefined ? 'What is to be said?' : `Asked: ${question.replace(/-(?=-)/g, '- ')}`,
  );
}
