import { describe, expect } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { call, plan } from '../support/calls.ts';
import { record } from '../support/commands.ts';
import { test } from '../support/world.ts';

describe('the session of an agent', () => {
  test('is saved, replaced in part, and listed with the latest first', async ({ as }) => {
    await plan(as('ada'), []);
    const { id: first } = await call(as('ada'), 'save_session', { summary: 'One.', snapshot: { open: ['a.ts'] } });
    const { id: second } = await call(as('bob'), 'save_session', { summary: 'Two.' });

    const replaced = await call(as('ada'), 'save_session', { session: first, summary: 'One, later.' });

    expect(replaced).toMatchObject({ id: first, summary: 'One, later.', snapshot: { open: ['a.ts'] } });
    expect(await call(as('bob'), 'list_sessions')).toMatchObject({ sessions: [{ id: first }, { id: second }] });
  });

  test('that nobody saved is not replaced, nor that of another workspace', async ({ as, asStranger }) => {
    await plan(as('ada'), []);
    await plan(asStranger('eve'), []);
    const { id: foreign } = await call(asStranger('eve'), 'save_session', { summary: 'Theirs.' });

    const answers = await Promise.allSettled(
      [newId(), foreign].map((session) => call(as('ada'), 'save_session', { session, summary: 'Mine.' })),
    );

    const reason = {
      code: 'not_found',
      message: expect.stringMatching(/^There is no session \S+ in this workspace\.$/),
    };
    expect(answers).toEqual(Array(2).fill({ status: 'rejected', reason: expect.objectContaining(reason) }));
    expect(await call(asStranger('eve'), 'list_sessions')).toMatchObject({ sessions: [{ summary: 'Theirs.' }] });
  });

  test('is not saved a second time under its id', async ({ as }) => {
    await plan(as('ada'), []);
    const { id } = await call(as('ada'), 'save_session', { summary: 'One.' });

    const again = record(as('bob'), { stream: `session:${id}`, type: 'session.saved', data: { summary: 'Two.' } });

    await expect(again).rejects.toMatchObject({ code: 'already_exists' });
    expect(await call(as('ada'), 'list_sessions')).toMatchObject({ sessions: [{ id, summary: 'One.' }] });
  });
});
