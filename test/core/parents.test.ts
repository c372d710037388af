import { describe, expect, vi } from 'vitest';
import { call, plan } from '../support/calls.ts';
import { tamper } from '../support/tamper.ts';
import { test } from '../support/world.ts';

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

  test('is of the same project, for a new task and for one that moves; what it was discovered from may be of another', async ({
    as,
  }) => {
    await plan(as('ada'), parts);
    await call(as('ada'), 'create_project', { slug: 'shop', name: 'Shop' });
    const create = (task: object) =>
      call(as('ada'), 'create_tasks', { project: 'shop', tasks: [{ title: 'A', ...task }] });
    const refused = { code: 'invalid_input', details: { field: 'parent' } };

    await create({ discovered_from: 'web-1' });

    await expect(create({ parent: 'web-1' })).rejects.toMatchObject(refused);
    await expect(call(as('ada'), 'update_task', { task: 'shop-1', parent: 'web-1' })).rejects.toMatchObject(refused);
    expect(await call(as('ada'), 'get_task', { task: 'shop-1' })).toMatchObject({ discovered_from: 'web-1' });
  });

  test('of another project that an earlier version recorded is shown, and the task is changed as ever', async ({
    as,
    sql,
    people,
  }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const rules = { triggers: [{ on: 'task.noted', do: { set_status: { task: 'parent', status: 'blocked' } } }] };
    await call(as('ada'), 'create_project', { slug: 'shop', name: 'Shop', rules });
    await call(as('ada'), 'create_tasks', { project: 'shop', tasks: [{ title: 'B' }] });
    const { id } = await call(as('ada'), 'get_task', { task: 'web-1' });
    const crossing = `update public.tasks set parent_id = $2 where tenant_id = $1 and ref = 'shop-1'`;
    await tamper(sql, crossing, [people.owner.tenant_id, id]);

    await call(as('ada'), 'update_task', { task: 'shop-1', title: 'C', parent: 'web-1', expected_version: 1 });
    await call(as('ada'), 'record_event', { task: 'shop-1', text: 'A rule acts on the part that I am of.' });

    expect(await call(as('ada'), 'get_task', { task: 'shop-1' })).toMatchObject({ title: 'C', parent: 'web-1' });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({ status: 'pending' });
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
