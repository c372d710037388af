import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { archiveEvents } from '../../src/services/archive.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { directoryStore } from '../support/blobs.ts';
import { call, plan, take } from '../support/calls.ts';
import { createTask, exportAll, importAll, record, redact, replay, verify } from '../support/commands.ts';
import { rowsOf } from '../support/rows.ts';
import { tamper } from '../support/tamper.ts';
import { test } from '../support/world.ts';

async function refsOf(ctx: Context, filters: object): Promise<string[]> {
  const { tasks } = await call(ctx, 'list_tasks', { project: 'web', ...filters });
  return tasks.map(({ ref }) => ref);
}

describe('the labels of a task', () => {
  test('are cleaned like names, and each is there once, as it was written first', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', labels: ['Auth', ' needs\u200b  design ', 'auth', 'AUTH', 'ui'] }]);

    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({
      labels: ['Auth', 'needs design', 'ui'],
    });
  });

  test('are replaced by an update, and left alone by one that does not name them', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', labels: ['auth'] }]);

    const renamed = await call(as('ada'), 'update_task', { task: 'web-1', title: 'B', expected_version: 1 });
    const changed = await call(as('ada'), 'update_task', { task: 'web-1', labels: ['ui', 'UI'], expected_version: 2 });
    const none = await call(as('ada'), 'update_task', { task: 'web-1', labels: [], expected_version: 3 });

    expect(renamed.task['labels']).toEqual(['auth']);
    expect(changed.task['labels']).toEqual(['ui']);
    expect(none.task['labels']).toBeUndefined();
  });

  test('and the rank change while another agent holds it, and its text does not', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const own = await take(as('ada'), 'web-1');

    await call(as('bob'), 'update_task', { task: 'web-1', labels: ['ui'], rank: 2, priority: 'high' });
    const attempt = call(as('bob'), 'update_task', { task: 'web-1', labels: ['api'], title: 'B' });

    await expect(attempt).rejects.toMatchObject({ code: 'lock_held' });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({ labels: ['ui'], rank: 2 });
    expect(await call(as('ada'), 'extend_lock', own)).toMatchObject({ ref: 'web-1' });
  });

  test('stand in its line, quoted where they are more than a word', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', labels: ['auth', 'say: ignore this'] }, { title: 'B' }]);
    const lineOf = async (tool: string, input: object) =>
      (await callTool(as('ada'), toolNamed(tool), { project: 'web', ...input })).text.split('\n');

    const line = 'web-1 [medium] "A" #auth #"say: ignore this"';
    expect(await lineOf('list_tasks', {})).toEqual(
      expect.arrayContaining([`${line} ready`, 'web-2 [medium] "B" ready']),
    );
    expect(await lineOf('get_state', {})).toContain(`${line} pending`);
  });

  test('are found by a search, as long as they are there', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', labels: ['observability'] }]);
    const found = async (query: string) => (await call(as('ada'), 'search', { query }))['hits'];

    expect(await found('observability')).toMatchObject([{ ref: 'web-1' }]);
    await call(as('ada'), 'update_task', { task: 'web-1', labels: ['telemetry'], expected_version: 1 });
    expect(await found('observability')).toEqual([]);
    expect(await found('telemetry')).toMatchObject([{ ref: 'web-1' }]);
  });
});

describe('a filter by labels', () => {
  const tasks = [
    { title: 'A', labels: ['ui'] },
    { title: 'B', labels: ['Ui', 'Größe'] },
    { title: 'C', labels: ['auth', 'ui', 'größe'] },
    { title: 'D' },
  ];

  test('finds tasks that have all of them, whatever their case', async ({ as }) => {
    await plan(as('ada'), tasks);

    expect(await refsOf(as('ada'), { labels: ['UI'] })).toEqual(['web-1', 'web-2', 'web-3']);
    expect(await refsOf(as('ada'), { labels: ['GRÖßE', 'ui'], ready: true })).toEqual(['web-2', 'web-3']);
    expect(await refsOf(as('ada'), { labels: ['u'] })).toEqual([]);
    expect(await refsOf(as('ada'), { labels: [] })).toHaveLength(4);
  });

  test('claims the first of those, and nothing where there is none', async ({ as }) => {
    await plan(as('ada'), tasks);

    expect(await call(as('ada'), 'claim_task', { labels: ['AUTH', 'ui'] })).toMatchObject({ task: { ref: 'web-3' } });
    expect(await call(as('bob'), 'claim_task', { labels: ['auth'] })).toMatchObject({
      hint: 'Other tasks are ready: claim without the filters.',
    });
  });

  test('finds nothing of another workspace', async ({ as, asStranger }) => {
    await plan(as('ada'), tasks);
    await plan(asStranger('eve'), [{ title: 'Mine', labels: ['ui'] }]);

    const { tasks: found } = await call(asStranger('eve'), 'list_tasks', { labels: ['ui'] });

    expect(found).toMatchObject([{ title: 'Mine' }]);
    expect((await call(asStranger('eve'), 'search', { query: 'auth' }))['hits']).toEqual([]);
  });
});

describe('the database refuses by itself', () => {
  test.for<[what: string, data: object, field: string]>([
    ['labels that are a text', { labels: 'ui' }, 'labels'],
    ['more than 20 labels', { labels: Array.from({ length: 21 }, (_, at) => `l${at}`) }, 'labels'],
    ['a label that is a number', { labels: [5] }, 'labels'],
    ['a label of nothing', { labels: [''] }, 'labels'],
    ['a label that nobody sees', { labels: ['\u200b'] }, 'labels'],
    ['a label that was not cleaned', { labels: ['ui\u202e'] }, 'labels'],
    ['a label of two lines', { labels: ['a\nb'] }, 'labels'],
    ['a label of 51 characters', { labels: ['x'.repeat(51)] }, 'labels'],
    ['no labels at all', { labels: null }, 'labels'],
    ['a rank in words', { rank: 'first' }, 'rank'],
    ['a rank past all numbers', { rank: 1.1e15 }, 'rank'],
    ['a rank that is nearly nothing', { rank: 1e-16 }, 'rank'],
  ])('%s', async ([, data, field], { as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const updated = { stream: 'task:web-1', type: 'task.updated', data };
    const refusal = { code: 'invalid_input', details: { field } };

    await expect(record(as('ada'), updated)).rejects.toMatchObject(refusal);
    await expect(createTask(as('ada'), data)).rejects.toMatchObject(refusal);
  });

  test('nothing that is allowed', async ({ as }) => {
    await plan(as('ada'), []);
    const labels = Array.from({ length: 20 }, (_, at) => `${String(at).padStart(2, '0')}${'漢'.repeat(48)}`);

    for (const rank of [1e15, -1e15, 1e-15, 0, null, 0.1 + 0.2]) {
      const task = await createTask(as('ada'), { labels, rank });

      expect(task).toMatchObject({ labels, ...(rank !== null && { rank }) });
      expect(task).not.toHaveProperty('rank', null);
    }
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });
});

describe('labels and rank', () => {
  const tasks = [{ title: 'A', labels: ['ui', 'needs design'], rank: 0.5 }, { title: 'B' }];

  test('are rebuilt from the log as they were', async ({ as, sql, people }) => {
    await plan(as('ada'), tasks);
    const labels = ['Ui', 'ui', 'api'];
    await call(as('ada'), 'update_task', { task: 'web-1', rank: -3, labels, expected_version: 1 });
    // Not all: what verify finds becomes an alert.
    const rows = async () => {
      const { tasks, 'app.task_labels': labelled } = await rowsOf(sql, people.owner.tenant_id);
      return { tasks, labelled };
    };
    const before = await rows();
    const damage = `update public.tasks set labels = '{x}', rank = 9 where tenant_id = $1 and number = 1`;
    await tamper(sql, damage, [people.owner.tenant_id]);

    expect(await verify(as('ada'))).toMatchObject({
      ok: false,
      difference: {
        table: 'tasks',
        columns: { labels: { live: ['x'], log: ['Ui', 'api'] }, rank: { live: 9, log: -3 } },
      },
    });
    await replay(as('ada'));

    expect(await rows()).toEqual(before);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('are none of a task whose events were archived before there were any', async ({ as, sql, people }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const folder = await mkdtemp(join(tmpdir(), 'cairn-labels-'));
    const before = new Date(Date.now() + 86_400_000).toISOString();
    for await (const _ of archiveEvents(as('ada'), { before, store: directoryStore(folder) }));
    await rm(folder, { recursive: true });
    await tamper(
      sql,
      `update app.archived_streams set state = state - 'labels' - 'rank' where tenant_id = $1 and state ? 'labels'`,
      [people.owner.tenant_id],
    );

    await call(as('ada'), 'update_task', { task: 'web-1', priority: 'high' });
    await replay(as('ada'));

    expect(await verify(as('ada'))).toMatchObject({ ok: true });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).not.toHaveProperty('labels');
  });

  test('go when the event that gave them is redacted', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', labels: ['secret', 'password'], rank: 1 }]);
    const [created] = (await exportAll(as('ada'))).filter(({ event_type }) => event_type === 'task.created');

    await redact(as('ada'), created?.seq ?? 0);

    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({ labels: ['[redacted]'], rank: 1 });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('move with the history', async ({ as, asStranger }) => {
    await plan(as('ada'), tasks);
    await call(as('ada'), 'update_task', { task: 'web-2', labels: ['api'], rank: 1e-7 });

    await importAll(asStranger('eve'), await exportAll(as('ada')));

    for (const [task, wanted] of [
      ['web-1', { labels: ['ui', 'needs design'], rank: 0.5 }],
      ['web-2', { labels: ['api'], rank: 1e-7 }],
    ] as const) {
      expect(await call(asStranger('eve'), 'get_task', { task })).toMatchObject(wanted);
    }
    expect(await verify(asStranger('eve'))).toMatchObject({ ok: true });
  });
});
