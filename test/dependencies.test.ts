import { describe, expect } from 'vitest';
import { call, plan, take } from './support/calls.ts';
import { test } from './support/world.ts';

const chain = [
  { key: 'a', title: 'A' },
  { title: 'B', dependencies: ['a'] },
];

describe('a dependency', () => {
  test('that is cancelled blocks its dependents with a reason, and dropping it frees them', async ({ as }) => {
    await plan(as('ada'), chain);

    const { followed } = await call(as('ada'), 'update_task', {
      task: 'web-1',
      status: 'cancelled',
      reason: 'Not needed.',
    });
    const blocked = await call(as('ada'), 'get_task', { task: 'web-2' });
    const { task: freed } = await call(as('ada'), 'update_task', { task: 'web-2', remove_dependencies: ['web-1'] });

    expect(followed).toMatchObject([{ type: 'task.blocked', ref: 'web-2' }]);
    expect(blocked).toMatchObject({ status: 'blocked', blocked_reason: expect.stringMatching(/web-1.*Not needed\./) });
    expect(freed).toMatchObject({ status: 'pending', ready: true });
    expect(freed).not.toHaveProperty('blocked_reason');
  });

  test('that is cancelled and reopened frees what it had blocked, which waits again', async ({ as }) => {
    await plan(as('ada'), chain);
    await call(as('ada'), 'update_task', { task: 'web-1', status: 'cancelled', reason: 'Not needed.' });

    await call(as('ada'), 'update_task', { task: 'web-1', status: 'reopened', reason: 'It is.' });

    expect(await call(as('ada'), 'get_task', { task: 'web-2' })).toMatchObject({
      status: 'pending',
      ready: false,
      open_dependencies: 1,
    });
  });

  test('is of the own project, of a new task too', async ({ as }) => {
    await plan(as('ada'), chain);
    await call(as('ada'), 'create_project', { slug: 'zoo', name: 'Zoo' });

    const tasks = [{ title: 'Z', dependencies: ['web-1'] }];

    await expect(call(as('ada'), 'create_tasks', { project: 'zoo', tasks })).rejects.toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining('web-1'),
    });
  });

  test('that is reopened holds back who has not started and warns who has', async ({ as }) => {
    await plan(as('ada'), [...chain, { title: 'C', dependencies: ['a'] }]);
    await call(as('ada'), 'complete_task', await take(as('ada'), 'web-1'));
    const own = await take(as('bob'), 'web-3');

    await call(as('ada'), 'update_task', { task: 'web-1', status: 'reopened', reason: 'It broke.' });

    expect(await call(as('ada'), 'get_task', { task: 'web-2' })).toMatchObject({
      status: 'pending',
      ready: false,
      waiting_for: ['web-1 (pending): A'],
    });
    await expect(take(as('ada'), 'web-2')).rejects.toMatchObject({ code: 'illegal_transition' });
    expect(await call(as('ada'), 'get_task', { task: 'web-3' })).toMatchObject({
      status: 'in_progress',
      warning: expect.stringMatching(/web-1.*It broke\./),
    });
    expect(await call(as('bob'), 'complete_task', own)).toMatchObject({ task: { status: 'completed' } });
  });
});
