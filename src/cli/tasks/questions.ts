import type { Config } from '../../config.ts';
import type { EventBrief } from '../../services/events.ts';
import { oneLine } from '../../text.ts';
import { person } from '../../tools/person.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { importer } from '../log/log.ts';
import { readPages } from '../pagination.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { fromNow } from '../terminal/table.ts';
import { remainderLines } from './needs.ts';
import { taskRef } from './refs.ts';

const PAGE_SIZE_MAX = 20;

export type QuestionsOptions = JsonOption & { limit: number };

/** `cairn questions [REF]`: agents' unanswered questions, word for word, the latest first. */
export async function runQuestions(
  config: Config,
  given: string | undefined,
  options: QuestionsOptions,
): Promise<void> {
  const { limit } = options;
  const found = await inLocalContext(config, async (ctx) => {
    const task = given && (await taskRef(ctx, given));
    const { items, last } = await readPages(
      limit,
      ({ page_size, cursor }) =>
        perform(ctx, person.list_questions, { task, page_size: Math.min(page_size, PAGE_SIZE_MAX), cursor }),
      ({ questions }) => questions,
    );
    return { questions: items, open: last.open };
  });
  printResult(found, options, ({ questions, open }) =>
    questions.length === 0
      ? ['No question is open.']
      : [
          ...questions.flatMap((question, at) => [...(at === 0 ? [] : ['']), ...questionLines(question)]),
          ...remainderLines(open - questions.length, '', `cairn questions --limit ${open}`),
        ],
  );
}

function questionLines(event: EventBrief): string[] {
  const { seq, task, by, at, imported_by, text } = event;
  const imported = imported_by === undefined ? '' : ` (imported by ${oneLine(importer(event))})`;
  const about = task === undefined ? '' : `  ${styled('bold', task)}`;
  return [
    `${styled('yellow', `question ${seq}`)}${about}  ${styled('cyan', oneLine(by))}${imported}  ${styled('dim', fromNow(at))}`,
    ...text.split('\n').map((line) => `  ${line}`),
  ];
}
