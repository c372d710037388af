import type { Config } from '../config.ts';
import type { Context } from '../context.ts';
import { DomainError } from '../errors.ts';
import { resumeProject } from '../services/checkpoints.ts';
import { getPosition, ListEvents, listEvents, RecordEvent, recordEvent } from '../services/events.ts';
import { canAsk } from './ask.ts';
import { writeInEditor } from './editor.ts';
import { readInputText } from './import-source.ts';
import { questionIn } from './needs.ts';
import { answer, type JsonOption } from './paint.ts';
import { asPerson, parseGiven } from './person.ts';
import { taskRef } from './refs.ts';

const TASK = /^(?:#?\d+|[a-z][a-z0-9-]*-\d+)$/i;
const QUESTION = /^#?(\d+)$/;

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

/** `cairn answer QUESTION TEXT`: answers an agent's question, named by its number or by its task. */
export async function runAnswer(config: Config, words: string[], options: JsonOption): Promise<void> {
  const [which = '', ...rest] = words;
  await asPerson(config, async (ctx) => {
    const question = await findQuestion(ctx, which);
    const text = await textGiven(rest, options, questionIn(question));
    const { task, seq } = question;
    const noted = await recordEvent(ctx, parseGiven(RecordEvent, { task, kind: 'answer', text, answers: String(seq) }));
    answer(noted, options, ({ about }) => [`Answered #${seq} on ${about}.`]);
  });
}

type Question = { seq: number; text: string; task?: string | undefined };

/** By its number in the log, else the only open one of a task, else the only open one of the project. */
async function findQuestion(ctx: Context, which: string): Promise<Question> {
  const [, number] = QUESTION.exec(which) ?? [];
  if (number !== undefined) return questionAt(ctx, Number(number));
  const { questions = [] } = await resumeProject(ctx, {});
  const ref = which === '' ? undefined : await taskRef(ctx, which);
  const open = questions.filter(({ task }) => ref === undefined || task === ref);
  const [only, ...others] = open;
  if (only !== undefined && others.length === 0) return only;
  throw new DomainError(
    'not_found',
    only === undefined
      ? `There is no open question${ref ? ` of ${ref}` : ''}.`
      : `There are ${open.length} open questions.`,
    {
      hint:
        only === undefined
          ? '`cairn status` shows the open ones with their numbers.'
          : `Name one by its number: ${open.map(({ seq }) => seq).join(', ')}. \`cairn status\` shows them.`,
    },
  );
}

async function questionAt(ctx: Context, seq: number): Promise<Question> {
  const position = await getPosition(ctx);
  const page =
    seq >= 1 && seq <= position
      ? await listEvents(ctx, parseGiven(ListEvents, { after_seq: seq - 1, page_size: 1 }))
      : { events: [] };
  const found = page.events.find((event) => event.seq === seq);
  if (found?.kind === 'question') return found;
  throw new DomainError('not_found', `#${seq} is no question of this project.`, {
    hint: '`cairn status` shows the open ones with their numbers.',
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
    question === undefined ? 'What is to be said?' : `Asked: ${question.replaceAll('--', '- -')}`,
  );
}
