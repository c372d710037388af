import { describe, expect, vi } from 'vitest';
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

  test('is moved by one after another: who waits for another move has locked no task yet', async ({
    as,
    people,
    sql,
  }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }]);
    const mover = await sql.connect();
    try {
      await mover.query(`begin; set local lock_timeout = '10s'`);
      await mover.query(`select pg_advisory_xact_lock(hashtextextended(concat_ws(' ', $1::text, 'parents'), 0))`, [
        people.owner.tenant_id,
      ]);
      const { rows } = await mover.query('select pg_backend_pid() as pid');

      const second = call(as('bob'), 'update_task', { task: 'web-1', parent: 'web-2' });

      await vi.waitFor(async () => {
        const waiting = 'select from pg_stat_activity where $1 = any (pg_blocking_pids(pid))';
        expect((await sql.query(waiting, [rows[0].pid])).rowCount).toBe(1);
      });
      const locked = 'select ref from public.tasks where tenant_id = $1 for update nowait';
      expect((await mover.query(locked, [people.owner.tenant_id])).rows).toHaveLength(2);
      await mover.query('commit');
      expect(await second).toMatchObject({ task: { parent: 'web-2' } });
    } finally {
      mover.release(true);
    }
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
