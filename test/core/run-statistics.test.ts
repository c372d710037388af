import type pg from 'pg';
import { expect } from 'vitest';
import { replay, verify } from '../support/commands.ts';
import { begunRun } from '../support/runners.ts';
import { test } from '../support/world.ts';

test('a run keeps the number of its steps; verify recounts it, replay mends it', async ({ as, sql }) => {
  const first = await begunRun(as('ada'), 'claude-1');
  const second = await begunRun(as('ada'), 'claude-2');

  await addSteps(sql, first.run, 3);
  await addSteps(sql, first.run, 2);
  await addSteps(sql, second.run, 1);

  expect(await counts(sql, first.run, second.run)).toEqual({ [first.run]: 5, [second.run]: 1 });
  expect(await verify(as('ada'))).toMatchObject({ ok: true });

  await sql.query('update agent_runs set steps_count = 7 where id = $1', [first.run]);
  expect(await verify(as('ada'))).toMatchObject({
    ok: false,
    difference: {
      table: 'agent_runs',
      id: first.run,
      columns: { steps_count: { live: 7, log: 5 } },
    },
  });

  await replay(as('ada'));
  expect(await counts(sql, first.run, second.run)).toEqual({ [first.run]: 5, [second.run]: 1 });
  expect(await verify(as('ada'))).toMatchObject({ ok: true });
});

test('steps that are in files are not recounted', async ({ as, sql }) => {
  const { run } = await begunRun(as('ada'), 'claude-1');
  await addSteps(sql, run, 2);
  await sql.query(
    `insert into app.record_archives (tenant_id, table_name, starts_at, ends_at, part, location, file, records,
       sha256, checksum, created_at)
     select tenant_id, 'agent_steps', app.period_start(created_at, 'month'), app.period_start(created_at, 'month', 1), 1,
       'directory', 'steps', 2, repeat('0', 64), 0, now() from agent_runs where id = $1`,
    [run],
  );
  await sql.query('delete from agent_steps where run_id = $1', [run]);

  expect(await verify(as('ada'))).toMatchObject({ ok: true });
  await replay(as('ada'));

  expect(await counts(sql, run)).toEqual({ [run]: 2 });
});

type Sql = pg.Pool;

async function addSteps(sql: Sql, run: string, count: number): Promise<void> {
  await sql.query(
    `insert into agent_steps (tenant_id, run_id, trace_id, span_id, kind, name, status, started_at, run_created_at,
       created_at)
     select r.tenant_id, r.id, md5(r.id::text), substr(md5(random()::text), 1, 16), 'tool_call', 'Read', 'completed',
       r.created_at, r.created_at, r.created_at
     from agent_runs r, generate_series(1, $2::integer) where r.id = $1`,
    [run, count],
  );
}

async function counts(sql: Sql, ...runs: string[]): Promise<Record<string, number>> {
  const { rows } = await sql.query('select id, steps_count from agent_runs where id = any ($1)', [runs]);
  return Object.fromEntries(rows.map(({ id, steps_count }) => [id, steps_count]));
}
