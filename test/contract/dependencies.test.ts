import { describe, expect } from 'vitest';
import { call, plan, take } from '../support/calls.ts';
import { test } from '../support/world.ts';

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

  test('of a task that is completed does not change, and nothing is added to a cancelled one', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }, { title: 'C' }]);
    await call(as('ada'), 'complete_task', await take(as('ada'), 'web-1'));
    await call(as('ada'), 'update_task', { task: 'web-2', status: 'cancelled', reason: 'Not needed.' });

    const attempts = await Promise.allSettled(
      ['web-1', 'web-2'].map((task) => call(as('ada'), 'update_task', { task, add_dependencies: ['web-3'] })),
    );

    const reason = { code: 'illegal_transition', message: expect.stringContaining('its dependencies cannot change') };
    expect(attempts).toEqual(Array(2).fill({ status: 'rejected', reason: expect.objectContaining(reason) }));
  });

  test('is one of at most a hundred', async ({ as }) => {
    const tasks = (count: number) => Array.from({ length: count }, () => ({ title: 'A' }));
    await plan(as('ada'), tasks(50));
    for (const count of [50, 2]) await call(as('ada'), 'create_tasks', { project: 'web', tasks: tasks(count) });
    const refs = Array.from({ length: 100 }, (_, at) => `web-${at + 2}`);
    await call(as('ada'), 'update_task', { task: 'web-1', add_dependencies: refs.slice(0, 50) });
    await call(as('ada'), 'update_task', { task: 'web-1', add_dependencies: refs.slice(50) });

    const attempt = call(as('ada'), 'update_task', { task: 'web-1', add_dependencies: ['web-102'] });

    await expect(attempt).rejects.toMatchObject({
      code: 'invalid_input',
      message: 'Task web-1 would have more than 100 dependencies.',
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
