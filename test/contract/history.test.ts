import { describe, expect } from 'vitest';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { ask } from '../support/ask.ts';
import { call } from '../support/calls.ts';
import { createProject, createTask, exportAll, hold, note, record, replay, verify } from '../support/commands.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { filledWorkspace } from '../support/filled-workspace.ts';
import { createScratch, mutate } from '../support/scratch.ts';
import { tamper } from '../support/tamper.ts';
import { test } from '../support/world.ts';

describe('verifying', () => {
  test('recomputes the chain and finds the read model equal to the log', async ({ as }) => {
    await fillWorkspace(as('ada'));

    const result = await verify(as('ada'));

    expect(result).toMatchObject({ ok: true, position: result.events });
    expect(result.tables.filter(({ rows }) => rows === 0)).toEqual([]);
    expect(result).not.toHaveProperty('difference');
  });

  const first = `(select min(seq) + 1 from public.events where tenant_id = $1)`;
  test.for<[what: string, statement: string, difference: object]>([
    [
      'a row changed',
      `update public.tasks set title = 'x' where tenant_id = $1 and number = 2`,
      { table: 'tasks', columns: { title: { live: 'x', log: 'Show the pelican' } } },
    ],
    ['a row gone', 'delete from public.artifacts where tenant_id = $1', { table: 'artifacts' }],
    [
      'a row too many',
      `insert into public.messages select tenant_id, gen_random_uuid(), project_id, user_id, topic, payload, version, created_at from public.messages where tenant_id = $1`,
      { table: 'messages' },
    ],
    [
      'a count of open dependencies changed',
      'update public.tasks set open_dependencies = 9 where tenant_id = $1 and number = 2',
      { table: 'tasks', columns: { open_dependencies: { live: 9, log: 0 } } },
    ],
    [
      'a count of open parts changed',
      'update public.tasks set open_parts = 9 where tenant_id = $1 and number = 2',
      { table: 'tasks', columns: { open_parts: { live: 9, log: 0 } } },
    ],
    ['an edge gone', 'delete from app.task_dependencies where tenant_id = $1', { table: 'task_dependencies' }],
    ['a label gone', 'delete from app.task_labels where tenant_id = $1', { table: 'task_labels' }],
    [
      'a label of a task that is said to be ready',
      'update app.task_labels set is_ready = true where tenant_id = $1',
      { table: 'task_labels' },
    ],
    ['an open question gone', 'delete from app.unanswered where tenant_id = $1', { table: 'unanswered' }],
    ['a count of tasks changed', 'update app.task_counts set ready = 9 where tenant_id = $1', { table: 'task_counts' }],
    [
      'a task changed',
      `update public.events set task_id = gen_random_uuid() where tenant_id = $1 and seq = ${first}`,
      { seq: 2, wrong: 'task_id' },
    ],
    [
      'a user changed',
      `update public.events set user_id = (select max(u.id::text)::uuid from public.users u where u.id <> user_id) where tenant_id = $1 and seq = ${first}`,
      { seq: 2, wrong: 'user_id' },
    ],
    [
      'the task of an artifact changed',
      `update public.events set task_id = gen_random_uuid() where tenant_id = $1 and event_type = 'artifact.added'`,
      { wrong: 'task_id', stream: expect.stringContaining('artifact:') },
    ],
    [
      'the task of a decision changed',
      `update public.events set task_id = gen_random_uuid() where tenant_id = $1 and event_type = 'decision.recorded'`,
      { wrong: 'task_id', stream: expect.stringContaining('decision:') },
    ],
    [
      'a project changed for another one of all its events',
      `update public.events set project_id = '018f0000-0000-7000-8000-00000000000a' where tenant_id = $1`,
      { seq: 1, wrong: 'project_id' },
    ],
    [
      'a payload changed',
      `update public.events set payload = payload || '{"title": "x"}' where tenant_id = $1 and seq = ${first}`,
      { seq: 2, wrong: 'payload' },
    ],
    [
      'a payload and its hash changed',
      `update public.events set payload = '{}', payload_hash = app.payload_hash('{}') where tenant_id = $1 and seq = ${first}`,
      { seq: 2, wrong: 'hash' },
    ],
    [
      'a payload, its hash and the hash of the event changed',
      `update public.events e set (payload, payload_hash, hash) = (select n.payload, n.payload_hash, app.event_hash(n) from jsonb_populate_record(e, jsonb_build_object('payload', '{}'::jsonb, 'payload_hash', app.payload_hash('{}'))) n) where tenant_id = $1 and seq = ${first}`,
      { seq: 3, wrong: 'prev_hash' },
    ],
    [
      'a payload changed under the name of a redaction',
      `update public.events set payload = payload || '{"title": "x"}', redacted_at = now() where tenant_id = $1 and seq = ${first}`,
      { seq: 2, wrong: 'payload' },
    ],
    [
      'a redaction without its record',
      `update public.events e set payload = app.blank_payload(e), redacted_at = now() where tenant_id = $1 and seq = ${first}`,
      { seq: 2, wrong: 'payload' },
    ],
    [
      'an actor changed',
      `update public.events set actor = actor || '{"agent": "eve"}' where tenant_id = $1 and seq = ${first}`,
      { seq: 2, wrong: 'hash' },
    ],
    [
      'a time changed',
      `update public.events set created_at = created_at - interval '1 second' where tenant_id = $1 and seq = ${first}`,
      { seq: 2, wrong: 'hash' },
    ],
    [
      'an event gone',
      `delete from public.events where tenant_id = $1 and seq = ${first}`,
      { seq: 3, wrong: 'prev_hash' },
    ],
    [
      'the last event gone',
      'delete from public.events e where tenant_id = $1 and seq = (select max(seq) from public.events x where x.tenant_id = $1)',
      { wrong: 'missing' },
    ],
    [
      'two events exchanged',
      `update public.events set seq = case seq when 2 then 3 else 2 end + 1000000 where tenant_id = $1 and seq in (2, 3)`,
      { wrong: expect.any(String) },
    ],
  ])('finds %s', async ([, statement, difference], { as, engine, sql, people }) => {
    const another = await filledWorkspace(engine);
    await fillWorkspace(as('ada'));
    await tamper(sql, statement, [people.owner.tenant_id]);

    const result = await verify(as('ada'));

    expect(result).toMatchObject({ ok: false, difference });
    expect(await verify(another)).toMatchObject({ ok: true });
  });
});

describe('the log is append-only', () => {
  test.for([
    `update public.events set payload = '{}' where tenant_id = $1`,
    'delete from public.events where tenant_id = $1',
  ])('for the owner of the table and the superuser too: %s', async (statement, { as, sql, people }) => {
    await createProject(as('ada'));

    const attempt = sql.query(statement, [people.owner.tenant_id]);

    await expect(attempt).rejects.toMatchObject({ code: 'PT403', message: expect.stringContaining('append-only') });
  });

  test('and cannot be truncated', async ({ sql }) => {
    await expect(sql.query('truncate public.events')).rejects.toMatchObject({ code: 'PT403' });
  });

  test.for([
    ['cairn_owner', 'update public.events set payload = payload'],
    ['cairn_owner', 'delete from public.events'],
    ['cairn_owner', 'truncate public.events'],
    ['cairn_keeper', 'update public.events set hash = hash'],
    ['cairn_keeper', 'truncate public.events'],
  ] as const)('for %s, who has no privilege to: %s', async ([role, statement], { sql }) => {
    const client = await sql.connect();
    try {
      await client.query('begin');
      await client.query(`set local role ${role}`);
      await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' });
    } finally {
      await client.query('rollback');
      client.release();
    }
  });
});

describe('the state of a project as of', () => {
  const CLAIMS = 'The log does not record when a claim expires: a task shown as held may have been free by then.';

  test('a position is what the log up to there makes', async ({ as }) => {
    const { db, actor } = as('ada');
    await createProject(as('ada'));
    const { ref } = await createTask(as('ada'), { title: 'Old title' });
    const lock_token = await hold(as('ada'), ref);
    const title = { stream: `task:${ref}`, type: 'task.updated', data: { title: 'New title' }, expect: { lock_token } };
    await record(as('ada'), title);
    await record(as('ada'), { stream: `task:${ref}`, type: 'task.completed', data: {}, expect: { lock_token } });

    const states = [];
    for (const seq of [1, 2, 3, 4, 5]) states.push(await ask<{ tasks: object[] }>({ db, actor }, 'get_state', { seq }));

    expect(states.map(({ tasks }) => tasks)).toMatchObject([
      [],
      [{ ref, title: 'Old title', status: 'pending' }],
      [{ ref, title: 'Old title', status: 'in_progress', locked_by: 'ada' }],
      [{ ref, title: 'New title', status: 'in_progress' }],
      [{ ref, title: 'New title', status: 'completed' }],
    ]);
    expect(states.at(-1)).toEqual(await db.call('get_state', {}, actor));
    await expect(db.call('get_state', { seq: 0 }, actor)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a position shows who held a task, and says that the log does not know when a claim ran out', async ({
    as,
    clock,
  }) => {
    await createProject(as('ada'));
    const { ref } = await createTask(as('ada'));
    await hold(as('ada'), ref);
    await clock.advance({ seconds: 7200 });
    const taken = await hold(as('bob'), ref);
    await record(as('bob'), {
      stream: `task:${ref}`,
      type: 'task.completed',
      data: {},
      expect: { lock_token: taken },
    });

    const states = [];
    for (const seq of [2, 3, 4, 5]) states.push(await call(as('eve'), 'get_state', { project: 'web', seq }));

    expect(states.map(({ tasks, claims }) => [tasks, claims])).toMatchObject([
      [[{ status: 'pending' }], undefined],
      [[{ status: 'in_progress', locked_by: 'ada' }], CLAIMS],
      [[{ status: 'in_progress', locked_by: 'bob' }], CLAIMS],
      [[{ status: 'completed' }], undefined],
    ]);
    const { text } = await callTool(as('eve'), toolNamed('get_state'), { project: 'web', seq: 3 });
    expect(text).toContain(`in_progress, held by ada\n${CLAIMS}`);
  });

  test('a time is that of the last position before it', async ({ as, clock }) => {
    const { db, actor } = as('ada');
    await createProject(as('ada'));
    const { created_at } = await createTask(as('ada'));
    await clock.advance({ seconds: 3600 });
    await createTask(as('ada'));
    const at = (seconds: number) => new Date(Date.parse(created_at as string) + seconds * 1000).toISOString();

    const then = await db.call('get_state', { at: at(60) }, actor);
    const now = await db.call('get_state', { at: at(7200) }, actor);
    const before = db.call('get_state', { at: at(-60) }, actor);

    expect([then, now]).toMatchObject([
      { position: 2, total: 1, counts: { pending: 1 } },
      { position: 3, total: 2 },
    ]);
    await expect(before).rejects.toMatchObject({ code: 'not_found' });
  });
});

test('an event of an older schema version is read and folded in its new shape, and stays as it was recorded', async () => {
  const scratch = await createScratch();
  try {
    const ada = await scratch.signIn('ada');
    await createProject(ada, { name: 'old' });
    await note(ada, 'Since then the name of a project is in capitals.');
    await scratch.sql.query(`update app.event_types set schema_version = 2 where event_type = 'project.created'`);
    await mutate(scratch.sql, 'app.upcast_event', [
      'case when',
      `case when event.event_type = 'project.created' and event.schema_version = 1 then jsonb_populate_record(event, jsonb_build_object(
         'payload', event.payload || jsonb_build_object('name', upper(event.payload ->> 'name')), 'schema_version', 2)) when`,
    ]);
    const call = <T>(fn: 'get_state' | 'list_events', args = {}) => ask<T>(ada, fn, { project: 'web', ...args });
    await createProject(ada, { slug: 'api', name: 'new' });

    expect(await verify(ada)).toMatchObject({
      ok: false,
      difference: { columns: { name: { live: 'old', log: 'OLD' } } },
    });
    await replay(ada);

    expect(await verify(ada)).toMatchObject({ ok: true });
    expect(await call('get_state', { seq: 1 })).toMatchObject({ project: { name: 'OLD' } });
    expect(await call('list_events', { filters: { types: ['project.created'], include_data: true } })).toMatchObject({
      events: [{ text: 'created: "OLD"', data: { name: 'OLD' } }],
    });
    const { rows } = await scratch.sql.query('select slug, name from public.projects order by slug');
    expect(rows).toEqual([
      { slug: 'api', name: 'new' },
      { slug: 'web', name: 'OLD' },
    ]);
    expect((await exportAll(ada))[0]).toMatchObject({ schema_version: 1, payload: { name: 'old' } });
  } finally {
    await scratch.drop();
  }
});
