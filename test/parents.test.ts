import { describe, expect } from 'vitest';
import { call, plan } from './support/calls.ts';
import { test } from './support/world.ts';

const parts = [
  { key: 'whole', title: 'The whole' },
  { key: 'part', title: 'A part', parent: 'whole' },
  { title: 'A part of the part', parent: 'part' },
];

describe('the parent of a task', () => {
  test('is changed and taken away', async ({ as }) => {
    await plan(as('ada'), parts);

    await call(as('ada'), 'update_task', { task: 'web-3', parent: 'web-1' });
    const moved = await call(as('ada'), 'get_task', { task: 'web-3' });
    await call(as('ada'), 'update_task', { task: 'web-3', parent: '' });

    expect(moved).toMatchObject({ parent: 'web-1' });
    expect(await call(as('ada'), 'get_task', { task: 'web-3' })).not.toHaveProperty('parent');
  });

  test.for(['web-1', 'web-2', 'web-3'])('of the whole is not %s', async (parent, { as }) => {
    await plan(as('ada'), parts);

    const attempt = call(as('ada'), 'update_task', { task: 'web-1', parent });

    await expect(attempt).rejects.toMatchObject({ code: 'dependency_cycle', details: { field: 'parent' } });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).not.toHaveProperty('parent');
  });

  test('makes no circle of two that are moved below each other in the same moment', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }]);

    const answers = await Promise.allSettled([
      call(as('ada'), 'update_task', { task: 'web-1', parent: 'web-2' }),
      call(as('bob'), 'update_task', { task: 'web-2', parent: 'web-1' }),
    ]);

    expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(answers).toContainEqual(
      expect.objectContaining({ reason: expect.objectContaining({ code: 'dependency_cycle' }) }),
    );
  });
});
