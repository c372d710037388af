import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test as plainTest } from 'vitest';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import { archiveEvents } from '../../src/services/archive.ts';
import { ListQuestions, listQuestions } from '../../src/services/events.ts';
import { directoryStore } from '../support/blobs.ts';
import { call, plan } from '../support/calls.ts';
import { append, type Caller, createProject, exportAll, importAll, record, verify } from '../support/commands.ts';
import { explainAll, stepsOf } from '../support/plans.ts';
import { createScratch } from '../support/scratch.ts';
import { test } from '../support/world.ts';
import { upTo } from '../support/writers.ts';

async function ask(ctx: Context, text: string, about: object = { project: 'web' }): Promise<number> {
  return Number((await call(ctx, 'record_event', { ...about, kind: 'question', text }))['seq']);
}

const open = (ctx: Context, input: object = {}) =>
  listQuestions(ctx, ListQuestions.parse({ project: 'web', ...input }));
const seqsOf = async (ctx: Context, input: object = {}) =>
  (await open(ctx, input)).questions.map(({ seq }) => seq).sort((a, b) => b - a);

function note(who: Caller, count: number): Promise<unknown> {
  const noted = { stream: 'project:web', type: 'project.noted', data: { text: 'Still at it.', kind: 'progress' } };
  return append(
    who,
    upTo(count).map(() => noted),
  );
}

describe('a question stays open until it is answered', () => {
  test('however many notes come after it', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const first = await ask(as('ada'), 'Which account?', { task: 'web-1' });
    for (const _ of upTo(4)) await note(as('bob'), 80);
    for (const at of upTo(6)) await ask(as('bob'), `Which ${at}?`);

    const resumed = await call(as('ada'), 'resume_project', { project: 'web' });

    expect(resumed['questions_open']).toBe(7);
    expect(await seqsOf(as('ada'))).toHaveLength(7);
    expect(await seqsOf(as('ada'), { task: 'web-1' })).toEqual([first]);
  });

  test('by its position or by its id, in a note of any kind about anything', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const [first, second, third] = [
      await ask(as('ada'), 'One?', { task: 'web-1' }),
      await ask(as('ada'), 'Two?'),
      await ask(as('ada'), 'Three?'),
    ];
    const id = (await open(as('ada'))).questions.find(({ seq }) => seq === second)?.id ?? '';

    await call(as('bob'), 'record_event', { project: 'web', kind: 'answer', text: 'Yes.', answers: String(first) });
    await call(as('bob'), 'record_event', { task: 'web-1', kind: 'note', text: 'No.', answers: id });
    await call(as('bob'), 'record_event', { task: 'web-1', kind: 'answer', text: 'No!', answers: id });

    expect(await seqsOf(as('ada'))).toEqual([third]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('by a question of its own, which is open then', async ({ as }) => {
    await plan(as('ada'), []);
    const first = await ask(as('ada'), 'Which?');
    const { seq } = await record(as('bob'), {
      stream: 'project:web',
      type: 'project.noted',
      data: { text: 'Which of which?', kind: 'question', answers: String(first) },
    });

    expect(await seqsOf(as('ada'))).toEqual([seq]);
  });

  test('or archived', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    await ask(as('ada'), 'Which?', { task: 'web-1' });
    const folder = await mkdtemp(join(tmpdir(), 'cairn-questions-'));
    const before = new Date(Date.now() + 86_400_000).toISOString();
    for await (const _ of archiveEvents(as('ada'), { before, store: directoryStore(folder) }));
    await rm(folder, { recursive: true });
    const later = await ask(as('ada'), 'And now?');

    expect(await seqsOf(as('ada'))).toEqual([later]);
    expect(await seqsOf(as('ada'), { task: 'web-1' })).toEqual([]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('in another workspace too, to which the history moved', async ({ as, asStranger }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const answered = await ask(as('ada'), 'Which?');
    await ask(as('ada'), 'Open still?', { task: 'web-1' });
    await call(as('ada'), 'record_event', { project: 'web', kind: 'answer', text: 'It.', answers: String(answered) });

    await importAll(asStranger('eve'), await exportAll(as('ada')));

    expect(await open(asStranger('eve'))).toMatchObject({
      open: 1,
      questions: [{ text: 'Open still?', task: 'web-1', imported_by: expect.any(String) }],
    });
    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
  });
});

describe('open questions are listed', () => {
  test('with all of their text, as it was written', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const text = `Is it "this",\nor \\that?\n${'x'.repeat(19_900)} end`;
    await ask(as('ada'), text, { task: 'web-1' });

    const { questions } = await open(as('bob'));

    expect(questions).toMatchObject([{ text, task: 'web-1', by: 'ada', kind: 'question' }]);
  });

  test('page by page, the latest first', async ({ as }) => {
    await plan(as('ada'), []);
    const asked: number[] = [];
    for (const at of upTo(5)) asked.unshift(await ask(as('ada'), `Which ${at}?`));

    const seqs: number[][] = [];
    let cursor: string | undefined;
    do {
      const page = await open(as('ada'), { page_size: 2, cursor });
      expect(page.open).toBe(5);
      seqs.push(page.questions.map(({ seq }) => seq));
      cursor = page.next_cursor;
    } while (cursor !== undefined);

    expect(seqs).toEqual([asked.slice(0, 2), asked.slice(2, 4), asked.slice(4)]);
    await expect(open(as('ada'), { cursor: 'x' })).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('to whoever may read tasks, for agents write them with that scope', async ({ as }) => {
    await plan(as('ada'), []);
    const limited = (scope: string) => ({ ...as('ada'), scopes: new Set([scope]) }) as Context;

    expect(await open(limited('tasks:read'))).toMatchObject({ open: 0, questions: [] });
    await expect(open(limited('projects:read'))).rejects.toMatchObject({
      code: 'insufficient_scope',
      details: { scope: 'tasks:read' },
    });
  });

  test('of a task of another project by its ref alone', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    await createProject(as('ada'), { slug: 'api', name: 'API' });
    const seq = await ask(as('ada'), 'Which?', { task: 'web-1' });

    expect(await seqsOf(as('ada'), { project: 'api', task: 'web-1' })).toEqual([seq]);
    expect(await seqsOf(as('ada'), { project: 'api' })).toEqual([]);
  });
});

plainTest('open questions are looked up, however much was said, asked and answered', { timeout: 60_000 }, async () => {
  const scratch = await createScratch();
  try {
    const ada = await scratch.signIn('ada');
    await createProject(ada);
    const asked = { stream: 'project:web', type: 'project.noted', data: { text: 'Which?', kind: 'question' } };
    await append(ada, [
      { stream: `task:${newId()}`, type: 'task.created', data: { project: 'web', title: 'A' } },
      asked,
      asked,
    ]);
    for (const _ of upTo(10)) {
      const { events } = await append(
        ada,
        upTo(60).map(() => asked),
      );
      const answers = events.map(({ id }) => ({ ...asked, data: { text: 'It.', kind: 'answer', answers: id } }));
      await append(ada, answers);
    }
    await explainAll(scratch.sql);

    const calls: [string, object][] = [
      ['list_questions', { project: 'web' }],
      ['list_questions', { task: 'web-1' }],
      ['resume_project', { project: 'web' }],
    ];
    for (const [fn, args] of calls) {
      const steps = await stepsOf(scratch.sql, [fn, { ...args }], ada.actor);
      const dear = steps.filter(({ step, lookedAt }) => / on (unanswered|events)$/.test(step) && lookedAt > 50);
      // Resuming also counts the events since the start of the project, so only its plan for questions is checked.
      expect([fn, fn === 'resume_project' ? dear.filter(({ step }) => step.includes('unanswered')) : dear]).toEqual([
        fn,
        [],
      ]);
    }
    expect(await ada.db.call('list_questions', { project: 'web' }, ada.actor)).toMatchObject({ open: 2 });
  } finally {
    await scratch.drop();
  }
});
