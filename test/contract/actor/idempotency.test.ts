import { describe, expect } from 'vitest';
import { newId } from '../../../src/events/ids.ts';
import { append, claim, createProject, createTask, hold, record, verify } from '../../support/commands.ts';
import { test } from '../../support/world.ts';

describe('a command with an idempotency key', () => {
  test('gets its first answer again, and nothing is done twice', async ({ as }) => {
    await createProject(as('ada'));
    const events = [{ stream: `task:${newId()}`, type: 'task.created', data: { title: 'Once' } }];

    const first = await append(as('ada'), events, { key: 'k', fingerprint: 'f' });
    const again = await append(as('ada'), events, { key: 'k', fingerprint: 'f' });

    expect(again).toEqual(first);
    expect(await verify(as('ada'))).toMatchObject({ ok: true, events: 2 });
  });

  test('is done once when it is sent many times at once', async ({ as, withWriters }) => {
    await createProject(as('ada'));
    const command = { key: 'race', fingerprint: 'f' };
    const events = [{ stream: 'project:web', type: 'project.noted', data: { text: 'Once.', kind: 'note' } }];

    const answers = await withWriters(as('ada'), (writers) =>
      Promise.all([...writers, ...writers].map((who) => append(who, events, command))),
    );

    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(await verify(as('ada'))).toMatchObject({ events: 2 });
  });

  test('that claims gets the same task again', async ({ as, withWriters }) => {
    await createProject(as('ada'));
    await createTask(as('ada'));
    await createTask(as('ada'));
    const command = { key: 'claim', fingerprint: 'f' };

    const claims = await withWriters(as('ada'), (writers) =>
      Promise.all(writers.map((who) => claim(who, { command }))),
    );

    expect(new Set(claims.map(({ task }) => `${task?.ref} ${task?.lock_token}`)).size).toBe(1);
  });

  test('that is another request is refused, and belongs to one user alone', async ({ as, asStranger }) => {
    await createProject(as('ada'));
    await createProject(asStranger('eve'));
    const command = { key: 'k', fingerprint: 'f' };
    const events = [{ stream: 'project:web', type: 'project.noted', data: { text: 'Mine.', kind: 'note' } }];
    await append(as('ada'), events, command);

    const strangers = await append(asStranger('eve'), events, { key: 'k', fingerprint: 'other' });
    const other = append(as('ada'), events, { key: 'k', fingerprint: 'other' });

    await expect(other).rejects.toMatchObject({ code: 'idempotency_mismatch' });
    expect(strangers.events[0]).toMatchObject({ seq: 2, state: { slug: 'web' } });
  });

  test('that was refused may be repeated with the same key', async ({ as }) => {
    await createProject(as('ada'));
    const { ref } = await createTask(as('ada'));
    const complete = { stream: `task:${ref}`, type: 'task.cancelled', data: { reason: 'Not needed.' } };
    const command = { key: 'k', fingerprint: 'f' };
    const token = await hold(as('bob'), ref);

    await expect(append(as('ada'), [complete], command)).rejects.toMatchObject({ code: 'lock_held' });
    await record(as('bob'), {
      stream: `task:${ref}`,
      type: 'task.released',
      data: { outcome: 'paused', reason: 'Lunch.' },
      expect: { lock_token: token },
    });
    const answer = await append(as('ada'), [complete], command);

    expect(answer.events[0]?.state.status).toBe('cancelled');
  });

  test('forgets after a week, not before', async ({ as, clock, sql, people }) => {
    const purge = async () => {
      const { rows } = await sql.query('select public.purge_idempotency_keys($1) as result', [people.owner]);
      return rows[0].result;
    };
    await createProject(as('ada'));
    await append(as('ada'), [{ stream: 'project:web', type: 'project.archived', data: {} }], { key: 'k' });

    await clock.advance({ seconds: 6 * 86_400 });
    const early = await purge();
    await clock.advance({ seconds: 2 * 86_400 });
    const late = await purge();

    expect([early, late]).toEqual([{ purged: 0 }, { purged: 1 }]);
  });
});
