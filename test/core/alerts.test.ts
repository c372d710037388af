import type pg from 'pg';
import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { call, person, plan, take } from '../support/calls.ts';
import { record, redact, verify } from '../support/commands.ts';
import { rowsOf } from '../support/rows.ts';
import { test } from '../support/world.ts';

/** Raises an alert in the workspace, as the code of a chapter does, and answers with its id. */
async function raise(
  sql: pg.Pool,
  { actor }: Context,
  about: { key?: string; severity?: string; title?: string } = {},
) {
  const { key = 'k', severity = 'high', title = 'It broke.' } = about;
  const entered = `select set_config('app.tenant_id', $1, true)`;
  const client = await sql.connect();
  try {
    await client.query('begin');
    await client.query(entered, [actor.tenant_id]);
    await client.query(`select app.raise_alert('test', $1, $2, '{"n": 1}', $3)`, [severity, title, key]);
    const { rows } = await client.query(
      'select id from public.agent_alerts where tenant_id = $1 and dedup_key = $2 and resolved_at is null',
      [actor.tenant_id, key],
    );
    await client.query('commit');
    return String(rows[0].id);
  } finally {
    client.release();
  }
}

async function settle(sql: pg.Pool, { actor }: Context, key = 'k'): Promise<void> {
  const set = `select set_config('app.tenant_id', $1, true), set_config('app.project_id', '', true)`;
  await sql.query(`with entered as materialized (${set}) select app.settle_alert($2) from entered`, [
    actor.tenant_id,
    key,
  ]);
}

async function typesOf(ctx: Context): Promise<unknown[]> {
  const { events } = await call(ctx, 'list_events', { project: '*', types: ['alert.'], page_size: 100 });
  return (events as { type: string }[]).map(({ type }) => type).reverse();
}

describe('an alert', () => {
  test('is raised by the system, and listed until somebody acknowledges it', async ({ as, sql }) => {
    const id = await raise(sql, as('ada'));
    expect(await call(as('ada'), 'list_alerts')).toMatchObject({
      alerts: [{ id, kind: 'test', severity: 'high', title: 'It broke.', details: { n: 1 }, raised_count: 1 }],
    });

    const seen = await call(as('bob'), 'acknowledge_alert', { alert: id, note: 'I look at it.' });

    expect(seen).toMatchObject({ id, acknowledged_by: 'bob' });
    expect(await call(as('ada'), 'list_alerts')).toEqual({ alerts: [] });
    expect(await call(as('ada'), 'list_alerts', { include_handled: true })).toMatchObject({ alerts: [{ id }] });
    const { events } = await call(as('ada'), 'list_events', { project: '*' });
    expect(events).toMatchObject([
      { type: 'alert.acknowledged', by: 'bob' },
      { by: 'system', kind: 'test' },
    ]);
  });

  test('that is snoozed comes back at its time, acknowledged before or not', async ({ as, sql, clock }) => {
    const id = await raise(sql, as('ada'));
    await call(as('ada'), 'acknowledge_alert', { alert: id });

    await call(as('ada'), 'acknowledge_alert', { alert: id, status: 'snoozed', snooze_seconds: 60 });

    expect(await call(as('ada'), 'list_alerts')).toEqual({ alerts: [] });
    await clock.advance({ seconds: 61 });
    const { alerts } = await call(as('ada'), 'list_alerts');
    expect(alerts).toMatchObject([{ id }]);
    expect(alerts).not.toMatchObject([{ acknowledged_by: 'ada' }]);
    await call(as('ada'), 'acknowledge_alert', { alert: id, status: 'snoozed', snooze_seconds: 60 });
    const resolved = await call(as('ada'), 'acknowledge_alert', { alert: id, status: 'resolved' });
    expect(resolved).not.toHaveProperty('snoozed_until');
  });

  test('of an archived project, which nobody can handle, is listed among the handled ones', async ({ as }) => {
    await plan(as('ada'), [{ title: 'Pay' }], { attempts_max: 1 });
    const lock = await take(as('ada'), 'web-1');
    await call(as('ada'), 'release_task', { ...lock, outcome: 'failed', reason: 'No way.' });
    const listed = async (given = {}) => (await call(as('ada'), 'list_alerts', given)).alerts;
    expect(await listed()).toHaveLength(1);

    await call(person(as('ada')), 'archive_project', { project: 'web', reason: 'Done.' });

    expect([await listed(), await listed({ project: 'web' })]).toEqual([[], []]);
    expect(await listed({ include_handled: true })).toHaveLength(1);
  });

  test.for(['raises', 'settles'] as const)(
    'that somebody resolves at the moment a verb %s it is resolved, and the verb goes on',
    async (verb, { as, sql }) => {
      const id = await raise(sql, as('ada'));
      const resolving = await sql.connect();
      let done: Promise<unknown>;
      try {
        await resolving.query('begin');
        const events = JSON.stringify([{ stream: `alert:${id}`, type: 'alert.resolved', data: {} }]);
        await resolving.query(`select public.append_events($1, '{}', $2)`, [events, JSON.stringify(as('ada').actor)]);
        done = verb === 'raises' ? raise(sql, as('ada')) : settle(sql, as('ada'));
        done.catch(() => {});
        const waits = async () => (await resolving.query('select from pg_locks where not granted')).rowCount;
        await expect.poll(waits).toBe(1);
      } finally {
        await resolving.query('commit');
        resolving.release();
      }

      await done;
      const again = verb === 'raises' ? ['alert.raised'] : [];
      expect(await typesOf(as('ada'))).toEqual(['alert.raised', 'alert.resolved', ...again]);
    },
  );

  test('that is resolved stays so, and a new one is raised when its cause comes back', async ({ as, sql }) => {
    const id = await raise(sql, as('ada'));
    await call(as('ada'), 'acknowledge_alert', { alert: id, status: 'resolved' });

    for (const status of ['acknowledged', 'snoozed', 'resolved']) {
      const again = call(as('ada'), 'acknowledge_alert', { alert: id, status });
      await expect(again).rejects.toMatchObject({ code: 'illegal_transition' });
    }

    expect(await raise(sql, as('ada'))).not.toBe(id);
    const { alerts } = await call(as('ada'), 'list_alerts', { include_handled: true });
    expect(alerts).toMatchObject([{ raised_count: 1 }, { id, resolved_by: 'ada' }]);
  });

  test('is not raised by callers, nor found in another workspace', async ({ as, asStranger, sql }) => {
    const data = { kind: 'x', severity: 'low', title: 'x', details: {}, dedup_key: 'x' };
    const id = await raise(sql, as('ada'));

    const raising = record(as('ada'), { stream: `alert:${id}`, type: 'alert.raised', data });
    await expect(raising).rejects.toMatchObject({ code: 'forbidden' });

    const handling = call(asStranger('eve'), 'acknowledge_alert', { alert: id });
    await expect(handling).rejects.toMatchObject({ code: 'not_found', hint: 'list_alerts shows the ids.' });
    expect(await call(asStranger('eve'), 'list_alerts', { include_handled: true })).toEqual({ alerts: [] });
  });

  test('is listed page by page, the latest first', async ({ as, sql }) => {
    const ids = [];
    for (const key of ['a', 'b', 'c']) ids.unshift(await raise(sql, as('ada'), { key }));

    const { alerts: first, next_cursor } = await call(as('ada'), 'list_alerts', { page_size: 2 });
    const { alerts: rest } = await call(as('ada'), 'list_alerts', { page_size: 2, cursor: next_cursor });

    expect([...(first as object[]), ...(rest as object[])]).toMatchObject(ids.map((id) => ({ id })));
  });
});

describe('a storm', () => {
  test('is one alert, whose latest words are shown, and ten repeats an hour', async ({ as, sql, clock }) => {
    const id = await raise(sql, as('ada'));
    for (let at = 0; at < 30; at += 1) await raise(sql, as('ada'), { severity: 'critical', title: `It broke, ${at}.` });

    const { alerts } = await call(as('ada'), 'list_alerts');
    expect(alerts).toMatchObject([{ id, raised_count: 11, severity: 'critical', title: 'It broke, 9.' }]);
    expect(await typesOf(as('ada'))).toHaveLength(11);

    await clock.advance({ seconds: 3_601 });
    await raise(sql, as('ada'));
    expect(await typesOf(as('ada'))).toHaveLength(12);
  });

  test('of many at once is one alert', async ({ as, sql }) => {
    await Promise.all(Array.from({ length: 20 }, () => raise(sql, as('ada'))));

    expect((await typesOf(as('ada'))).filter((type) => type === 'alert.raised')).toHaveLength(1);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('settles at once, and settling nothing does nothing', async ({ as, sql }) => {
    const id = await raise(sql, as('ada'));

    await settle(sql, as('ada'));
    await settle(sql, as('ada'));

    expect(await typesOf(as('ada'))).toEqual(['alert.raised', 'alert.resolved']);
    const { alerts } = await call(as('ada'), 'list_alerts', { include_handled: true });
    expect(alerts).toMatchObject([{ id, resolved_by: 'system' }]);
  });
});

describe('a task that was given up as often as its project allows', () => {
  test.for(['unblocked', 'cancelled'] as const)(
    'raises an alert, which its being %s resolves',
    async (status, { as }) => {
      await plan(as('ada'), [{ title: 'Pay' }], { attempts_max: 1 });
      const lock = await take(as('ada'), 'web-1');
      await call(as('ada'), 'release_task', { ...lock, outcome: 'failed', reason: 'No way.' });
      expect(await call(as('bob'), 'list_alerts', { project: 'web' })).toMatchObject({
        alerts: [{ kind: 'task_given_up', project: 'web', details: { task: 'web-1', reason: 'No way.' } }],
      });

      await call(person(as('bob')), 'update_task', { task: 'web-1', status, reason: 'So.' });

      expect(await call(as('bob'), 'list_alerts')).toEqual({ alerts: [] });
      expect(await typesOf(as('bob'))).toEqual(['alert.raised', 'alert.resolved']);
    },
  );
});

test('a log that does not verify raises a critical alert, which resume shows until it verifies', async ({
  as,
  sql,
}) => {
  await plan(as('ada'), [{ title: 'Pay' }]);
  const { tenant_id } = as('ada').actor;
  const rename = (title: string) =>
    sql.query('update public.tasks set title = $2 where tenant_id = $1', [tenant_id, title]);
  await rename('Forged');

  expect(await verify(as('ada'))).toMatchObject({ ok: false });

  const { alerts } = await call(as('ada'), 'resume_project');
  expect(alerts).toMatchObject([{ severity: 'critical', kind: 'log_unverified' }]);
  await rename('Pay');
  expect(await verify(as('ada'))).toMatchObject({ ok: true });
  expect(await call(as('ada'), 'resume_project')).not.toHaveProperty('alerts');
});

test('two alerts whose texts are redacted are still two, rebuilt as they are', async ({ as, sql }) => {
  await raise(sql, as('ada'), { key: 'a' });
  await raise(sql, as('ada'), { key: 'b' });

  await redact(as('ada'), 1);
  await redact(as('ada'), 2);

  expect(await call(as('ada'), 'list_alerts')).toMatchObject({ alerts: [{ title: '[redacted]' }, {}] });
  expect(await verify(as('ada'))).toMatchObject({ ok: true });
  const before = await rowsOf(sql, as('ada').actor.tenant_id);
  await as('ada').db.call('replay_events', {}, as('ada').actor);
  expect(await rowsOf(sql, as('ada').actor.tenant_id)).toEqual(before);
});
