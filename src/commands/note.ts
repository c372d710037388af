import type { Config } from '../config.ts';
import type { Context } from '../context.ts';
import { DomainError } from '../errors.ts';
import { resumeProject } from '../services/checkpoints.ts';
import { getPosition, ListEvents, listEvents, RecordEvent, recordEvent } from '../services/events.ts';
import { questionIn } from './needs.ts';
import { answer, type JsonOption } from './paint.ts';
import { asPerson, parseGiven } from './person.ts';
import { taskNamed, taskRef } from './refs.ts';
import { withText } from './text-given.ts';

const QUESTION = /^#?(\d+)$/;

export type NoteOptions = JsonOption & { kind?: string; task?: string };

/** `cairn note [REF] TEXT`: says something about a task, or about the project when the first word names no task. */
export async function runNote(config: Config, words: string[], options: NoteOptions): Promise<void> {
  await asPerson(config, async (ctx) => {
    const { task, rest } = await aboutWhich(ctx, words, options);
    const noted = await withText(rest, { ...options, explanation: 'Say something.' }, (text) =>
      recordEvent(ctx, parseGiven(RecordEvent, { task, kind: options.kind, text })),
    );
    answer(noted, options, ({ seq, about, kind }) => [`Noted #${seq} (${kind}) on ${about}.`]);
  });
}

/** The task comes first, or behind --task. A number in front of several words is a word: `2 tests fail`. */
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

/** `cairn answer QUESTION TEXT`: answers an agent's question, named by its number or by its task. */
export async function runAnswer(config: Config, words: string[], options: JsonOption): Promise<void> {
  const [which = '', ...rest] = words;
  await asPerson(config, async (ctx) => {
    const question = await findQuestion(ctx, which);
    const { task, seq } = question;
    const explanation = `The question was:\n\n${questionIn(question)}`;
    const noted = await withText(rest, { ...options, explanation }, (text) =>
      recordEvent(ctx, parseGiven(RecordEvent, { task, kind: 'answer', text, answers: String(seq) })),
    );
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
