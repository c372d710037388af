import { describe, expect } from 'vitest';
import { createProject, createTask, hold, record } from '../support/commands.ts';
import { test } from '../support/world.ts';

const note = { type: 'task.noted', data: { text: 'Still at it.', kind: 'progress' } };

describe('a lock that has lapsed', () => {
  test.for([
    ['task.completed', {}],
    ['task.released', { outcome: 'paused', reason: 'Lunch.' }],
  ] as const)(
    'does not let its former holder record %s by leaving the token out',
    async ([type, data], { as, clock }) => {
      await createProject(as('ada'));
      const { ref } = await createTask(as('ada'));
      const lock_token = await hold(as('ada'), ref, { ttl_seconds: 60 });

      await clock.advance({ seconds: 61 });

      const event = { stream: `task:${ref}`, type, data };
      await expect(record(as('ada'), { ...event, expect: { lock_token } })).rejects.toMatchObject({
        code: 'lock_lost',
      });
      await expect(record(as('ada'), event)).rejects.toMatchObject({ code: 'lock_lost' });
    },
  );

  test('is not revived by a call that names its token', async ({ as, clock }) => {
    await createProject(as('ada'));
    const { ref } = await createTask(as('ada'));
    const lock_token = await hold(as('ada'), ref, { ttl_seconds: 60 });
    await clock.advance({ seconds: 61 });

    const attempt = record(as('ada'), { stream: `task:${ref}`, ...note, expect: { lock_token } });

    await expect(attempt).rejects.toMatchObject({ code: 'lock_lost' });
    expect(await hold(as('bob'), ref)).toBeGreaterThan(lock_token);
  });
});

test('a lost token does not extend the lock of who holds the task now', async ({ as, clock }) => {
  await createProject(as('ada'));
  const { ref } = await createTask(as('ada'));
  const lost = await hold(as('ada'), ref);
  await hold(as('bob'), ref, { take_over: true, ttl_seconds: 60 });
  await clock.advance({ seconds: 50 });

  const attempt = record(as('ada'), { stream: `task:${ref}`, ...note, expect: { lock_token: lost } });
  await expect(attempt).rejects.toMatchObject({ code: 'lock_lost' });
  await clock.advance({ seconds: 11 });

  expect(await hold(as('cyd'), ref)).toBeGreaterThan(lost);
});

test('any call that names a live token extends the lock', async ({ as, clock }) => {
  await createProject(as('ada'));
  const { ref } = await createTask(as('ada'));
  const lock_token = await hold(as('ada'), ref, { ttl_seconds: 60 });
  await clock.advance({ seconds: 50 });

  await record(as('ada'), { stream: `task:${ref}`, ...note, expect: { lock_token } });
  await clock.advance({ seconds: 50 });

  await expect(hold(as('bob'), ref)).rejects.toMatchObject({ code: 'lock_held' });
});

test('a dependency can be taken away, alone', async ({ as }) => {
  await createProject(as('ada'));
  const first = await createTask(as('ada'));
  const second = await createTask(as('ada'), { dependencies: [first.ref] });

  const change = { type: 'task.dependencies_changed', data: { remove: [first.ref] } };
  const { state } = await record(as('ada'), { stream: `task:${second.ref}`, ...change });

  expect(state).toMatchObject({ ready: true, dependencies: [] });
});
