import { describe, expect } from 'vitest';
import { CATEGORIES } from '../support/categories.ts';
import { createProject, createTask, hold, record, replay, verify } from '../support/commands.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { rowsOf } from '../support/rows.ts';
import { tamper } from '../support/tamper.ts';
import { test } from '../support/world.ts';

describe('replaying', () => {
  const inTheWay = [
    'update public.tasks set number = number + 1000 where tenant_id = $1 and number = 2',
    'update public.tasks set number = 2 where tenant_id = $1 and number = 1',
    'update public.tasks set number = 1 where tenant_id = $1 and number = 1002',
  ];
  test.for([
    ['where it is', []],
    ['with rows in the way of others', inTheWay],
  ] as const)('restores a damaged read model, row for row: %s', async ([, more], { as, sql, people }) => {
    await fillWorkspace(as('ada'));
    const before = await rowsOf(sql, people.owner.tenant_id);
    for (const statement of [
      ...more,
      ...[...CATEGORIES.values()].map(({ tampering }) => tampering),
      'delete from app.task_dependencies where tenant_id = $1',
      `update app.task_labels set label = 'x', is_ready = true where tenant_id = $1`,
      'update app.unanswered set seq = seq + 1 where tenant_id = $1',
      'update app.task_counts set ready = 9 where tenant_id = $1',
      'delete from app.search_documents where tenant_id = $1',
    ]) {
      await tamper(sql, statement, [people.owner.tenant_id]);
    }

    const result = await replay(as('ada'));

    expect(result).toMatchObject({ events: before['events']?.length, tables: expect.arrayContaining(['tasks']) });
    expect(await rowsOf(sql, people.owner.tenant_id)).toEqual(before);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('writes no row that is right already', async ({ as, sql, people }) => {
    await fillWorkspace(as('ada'));
    const versions = 'select id, xmin::text from public.tasks where tenant_id = $1 order by id';
    const { rows: before } = await sql.query(versions, [people.owner.tenant_id]);

    await replay(as('ada'));

    expect((await sql.query(versions, [people.owner.tenant_id])).rows).toEqual(before);
  });

  test('holds up no other workspace, but autovacuum, which would count the rows as none until the end', async ({
    as,
    asStranger,
    sql,
  }) => {
    await fillWorkspace(as('ada'));
    const client = await sql.connect();
    const { actor } = as('ada');
    try {
      await client.query('begin');
      await client.query('select public.replay_events(actor => $1)', [actor]);

      await fillWorkspace(asStranger('eve'));
      for (const table of ['public.tasks', 'app.search_documents']) {
        const asAutovacuum = `do $$ begin lock table ${table} in share update exclusive mode nowait; end $$`;
        await expect(sql.query(asAutovacuum)).rejects.toMatchObject({ code: '55P03' });
      }
    } finally {
      await client.query('rollback');
      client.release();
    }
  });

  test('leaves locks as they are', async ({ as }) => {
    await createProject(as('ada'));
    const { ref } = await createTask(as('ada'));
    const lock_token = await hold(as('ada'), ref, { ttl_seconds: 60 });

    await replay(as('ada'));

    await expect(hold(as('bob'), ref)).rejects.toMatchObject({ code: 'lock_held' });
    const done = { stream: `task:${ref}`, type: 'task.completed', data: {}, expect: { lock_token } };
    expect((await record(as('ada'), done)).state.status).toBe('completed');
  });
});
