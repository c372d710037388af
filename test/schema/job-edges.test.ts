import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Actor } from '../../src/db/database.ts';
import type { FunctionName } from '../../src/db/functions.ts';
import { ask } from '../support/ask.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

const NOBODY: Actor = { user_id: '' };

let scratch: Scratch;

beforeAll(async () => {
  scratch = await createScratch();
});
afterAll(() => scratch.drop());

const call = <Answer>(fn: FunctionName, args: object) => ask<Answer>({ db: scratch.db, actor: NOBODY }, fn, args);
const claim = () => call<{ token: number } | null>('claim_job', { kind: 'untold', holder: 'one', seconds: 30 });

test('a job that keeps failing goes on where the log of whom it is told takes no alert', async () => {
  const told = (await scratch.signIn('ada')).actor.tenant_id;
  await call('register_jobs', { jobs: [{ kind: 'untold', every_seconds: 3600 }] });
  const makeDue = () => scratch.sql.query(`update app.jobs set next_run_at = now() - interval '1 second'`);
  await makeDue();
  await scratch.sql.query('delete from app.positions where tenant_id = $1', [told]);
  for (const _ of [1, 2, 3, 4]) {
    const run = await claim();
    await call('finish_job', { kind: 'untold', token: run?.token, outcome: 'failed', error: 'No.' });
    await makeDue();
  }
  const run = await claim();
  await scratch.sql.query('update app.jobs set lease_expires_at = now()');

  expect(await claim()).toEqual({ token: Number(run?.token) + 1, settings: {} });

  const { rows } = await scratch.sql.query('select failures_in_row, last_outcome from app.jobs');
  expect(rows).toEqual([{ failures_in_row: 5, last_outcome: 'lost' }]);
});

test('a job that a clock has put off for years is due again when a worker begins', async () => {
  await call('register_jobs', { jobs: [{ kind: 'late', every_seconds: 60 }] });
  await scratch.sql.query(`update app.jobs set next_run_at = now() + interval '3 years' where kind = 'late'`);

  await call('register_jobs', { jobs: [{ kind: 'late', every_seconds: 60 }] });

  const { rows } = await scratch.sql.query(
    `select next_run_at < now() + interval '2 minutes' as soon from app.jobs where kind = 'late'`,
  );
  expect(rows).toEqual([{ soon: true }]);
});

test('a change that is none is refused, and resumes nothing', async () => {
  const { actor } = await scratch.signIn('bob');
  const asBob = (fn: FunctionName, args: object) => ask({ db: scratch.db, actor }, fn, args);
  await asBob('set_job', { kind: 'own' });
  await asBob('change_job', { kind: 'own', change: 'pause' });

  await expect(asBob('change_job', { kind: 'own', change: 'start' })).rejects.toMatchObject({ code: 'invalid_input' });

  expect(await asBob('list_jobs', {})).toMatchObject({
    jobs: expect.arrayContaining([expect.objectContaining({ kind: 'own', paused_at: expect.any(String) })]),
  });
});
