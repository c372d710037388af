import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { append, type Caller, createProject, exportAll, importAll } from '../support/commands.ts';
import { overClient } from '../support/database.ts';
import { explainAll, stepsOf } from '../support/plans.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';
import { upTo } from '../support/writers.ts';

const TASKS = 600;
// The rows that one step of a plan may read if it is asked for a few rows.
const LOOKED_AT_MAX = 50;

let scratch: Scratch;
let who: Caller;
const tasks = upTo(TASKS).map(() => newId());

beforeAll(async () => {
  scratch = await createScratch();
  const { actor } = await scratch.signIn('ada');
  who = { db: overClient(scratch.sql), actor };
  await createProject(who);
  for (let at = 0; at < TASKS; at += 200) await append(who, tasks.slice(at, at + 200).map(waiting));
  await explainAll(scratch.sql);
});
afterAll(() => scratch.drop());

/** A task that waits for the one before it. */
function waiting(id: string) {
  const before = tasks[tasks.indexOf(id) - 1];
  const dependencies = before === undefined ? [] : [before];
  return {
    stream: `task:${id}`,
    type: 'task.created',
    data: { project: 'web', title: 'Write the docs', dependencies },
  };
}

const event = (type: string, data: object) => ({ events: [{ stream: 'task:web-300', type: `task.${type}`, data }] });

describe('in a database of this minute, of which the server has no statistics yet', () => {
  test.for<[fn: string, args: Record<string, unknown>]>([
    ['get_task', { task: 'web-300' }],
    ['claim_task', { task: 'web-1' }],
    ['claim_task', {}],
    ['append_events', event('noted', { text: 'A note.', kind: 'note' })],
    ['append_events', event('dependencies_changed', { add: ['web-2'] })],
    ['append_events', event('cancelled', { reason: 'Not needed.' })],
  ])('%s %j finds each row by its whole key', async ([fn, args], { skip }) => {
    const { rows } = await scratch.sql.query(`select current_setting('server_version_num')::integer as version`);
    skip(rows[0].version < 180_000, 'PostgreSQL cannot be told before 18.');

    const steps = await stepsOf(scratch.sql, [fn, args], who.actor);

    expect(steps.length).toBeGreaterThan(0);
    expect(steps.filter(({ lookedAt }) => lookedAt > LOOKED_AT_MAX)).toEqual([]);
  });
});

test('an import into a new workspace finds rows by their whole key, whatever statistics of others say', async () => {
  const { actor } = await scratch.signIn('bob');
  const bob = { db: who.db, actor };
  const history = await exportAll(who, 'web', 500);
  await scratch.sql.query('analyze');
  await importAll(bob, history.slice(0, -1));

  const steps = await stepsOf(scratch.sql, ['import_events', { events: history.slice(-1) }], actor);

  expect(steps.length).toBeGreaterThan(0);
  expect(steps.filter(({ lookedAt }) => lookedAt > LOOKED_AT_MAX)).toEqual([]);
});
