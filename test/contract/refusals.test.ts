import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { call, type Lock, plan, take } from '../support/calls.ts';
import { hashTables } from '../support/rows.ts';
import { test } from '../support/world.ts';

type Fixture = { ada: Context; own: Lock; lost: Lock; expired: Lock; foreign: string };

/**
 * web-1 held by bob, web-2 by ada, web-3 lost, web-4 expired, web-6 waits for web-5, web-7 cancelled; another
 * workspace.
 */
async function prepare(
  as: (agent: string) => Context,
  stranger: Context,
  clock: { advance(by: { seconds: number }): Promise<void> },
): Promise<Fixture> {
  const rules = {
    scope: { paths: ['src/**'], files_max: 9 },
    gates: [{ on: 'complete', require: { decision: true } }],
  };
  const tasks = [1, 2, 3, 4, 5].map((at) => ({ key: `t${at}`, title: `Task ${at}` }));
  await plan(as('ada'), [...tasks, { title: 'Task 6', dependencies: ['t5'] }, { title: 'Task 7' }], rules);
  await call(as('ada'), 'update_task', { task: 'web-7', status: 'cancelled', reason: 'So.' });
  const expired = await take(as('ada'), 'web-4', { ttl_seconds: 60 });
  await clock.advance({ seconds: 61 });
  await take(as('bob'), 'web-1');
  const own = await take(as('ada'), 'web-2');
  const lost = await take(as('ada'), 'web-3');
  await take(as('bob'), 'web-3', { take_over: true });
  await call(as('ada'), 'record_event', { project: 'web', text: 'One', idempotency_key: 'used' });
  await call(stranger, 'create_project', { slug: 'theirs', name: 'Theirs' });
  const { tasks: foreign } = await call(stranger, 'create_tasks', { tasks: [{ title: 'Theirs' }] });
  const { id } = await call(stranger, 'get_task', { task: foreign[0]?.ref ?? '' });
  return { ada: as('ada'), own, lost, expired, foreign: id };
}

const diff = { type: 'diff', ref: 'abc', files: ['docs/a.md'] };

describe('an agent is refused', () => {
  test.for<[what: string, code: string, tool: string, input: (fixture: Fixture) => object]>([
    ['an unknown ref', 'not_found', 'claim_task', () => ({ task: 'web-99' })],
    ['an unknown project', 'not_found', 'create_tasks', () => ({ project: 'nope', tasks: [{ title: 'A' }] })],
    [
      'an unknown ref in a batch',
      'not_found',
      'create_tasks',
      () => ({ tasks: [{ title: 'A' }, { title: 'B', dependencies: ['web-99'] }] }),
    ],
    [
      'an unknown criterion',
      'invalid_input',
      'complete_task',
      ({ own }) => ({ ...own, evidence: [{ criterion: 1, note: 'Seen.' }] }),
    ],
    ['a task of a foreign workspace', 'not_found', 'claim_task', ({ foreign }) => ({ task: foreign })],
    ['a ref of a foreign workspace', 'not_found', 'update_task', () => ({ task: 'theirs-1', title: 'Mine' })],
    [
      'a foreign dependency',
      'not_found',
      'update_task',
      ({ foreign }) => ({ task: 'web-5', add_dependencies: [foreign] }),
    ],
    ['a foreign project', 'not_found', 'record_event', () => ({ project: 'theirs', text: 'Hm.' })],
    ['a bad status move', 'illegal_transition', 'update_task', () => ({ task: 'web-7', status: 'unblocked' })],
    [
      'a bad status move, its text with it',
      'illegal_transition',
      'update_task',
      () => ({ task: 'web-5', title: 'A', status: 'reopened', reason: 'So.', expected_version: 1 }),
    ],
    ['a task that waits', 'illegal_transition', 'claim_task', () => ({ task: 'web-6' })],
    ['a held lock', 'lock_held', 'claim_task', () => ({ task: 'web-1' })],
    ['a lost lock', 'lock_lost', 'complete_task', ({ lost }) => ({ ...lost })],
    [
      'an expired lock',
      'lock_lost',
      'release_task',
      ({ expired }) => ({ ...expired, outcome: 'paused', reason: 'Late.' }),
    ],
    [
      'a token of another task',
      'lock_lost',
      'add_artifact',
      ({ own }) => ({ ...own, task: 'web-5', type: 'pr', ref: '#1' }),
    ],
    ['a cycle', 'dependency_cycle', 'update_task', () => ({ task: 'web-5', add_dependencies: ['web-6'] })],
    [
      'a cycle within a batch',
      'dependency_cycle',
      'create_tasks',
      () => ({
        tasks: [
          { key: 'a', title: 'A', dependencies: ['b'] },
          { key: 'b', title: 'B', dependencies: ['a'] },
        ],
      }),
    ],
    ['an unmet gate', 'gate_unmet', 'complete_task', ({ own }) => ({ ...own })],
    ['a violated scope', 'scope_violation', 'add_artifact', ({ own }) => ({ ...own, ...diff })],
    [
      'a version that is gone',
      'version_conflict',
      'update_task',
      () => ({ task: 'web-5', title: 'A', expected_version: 9 }),
    ],
    [
      'a reused idempotency key',
      'idempotency_mismatch',
      'record_event',
      () => ({ project: 'web', text: 'Two', idempotency_key: 'used' }),
    ],
    ['an over-long text', 'invalid_input', 'record_event', () => ({ project: 'web', text: 'x'.repeat(20_001) })],
    [
      'an over-long text in a batch',
      'invalid_input',
      'create_tasks',
      () => ({ tasks: [{ title: 'A' }, { title: 'x'.repeat(301) }] }),
    ],
    ['too many at once', 'invalid_input', 'create_tasks', () => ({ tasks: Array(51).fill({ title: 'A' }) })],
    [
      'invalid rules',
      'invalid_input',
      'update_project',
      () => ({ project: 'web', name: 'New', rules: { gates: [{ on: 'merge' }] } }),
    ],
    [
      'constraints that widen',
      'invalid_input',
      'create_tasks',
      () => ({ tasks: [{ title: 'A', constraints: { files_max: 10 } }] }),
    ],
    ['invalid JSON', 'invalid_input', 'update_project', () => ({ project: 'web', rules: '{"scope": ' })],
    ['an unknown argument', 'invalid_input', 'claim_task', () => ({ colour: 'red' })],
    ['an unknown enum value', 'invalid_input', 'update_task', () => ({ task: 'web-5', status: 'completed' })],
    ['nothing to change', 'invalid_input', 'update_task', () => ({ task: 'web-5' })],
    ['a bad cursor', 'invalid_input', 'list_tasks', () => ({ cursor: 'bm9uc2Vuc2U' })],
    ['a taken slug', 'already_exists', 'create_project', () => ({ slug: 'web', name: 'Again' })],
    ['the archiving of a project at work', 'lock_held', 'archive_project', () => ({ project: 'web' })],
  ])(
    '%s, with %s, and nothing is half-written',
    async ([, code, tool, input], { as, asStranger, clock, sql, people }) => {
      const fixture = await prepare(as, asStranger('eve'), clock);
      const before = await hashTables(sql, people.owner.tenant_id);
      const beside = await hashTables(sql, people.stranger.tenant_id);
      // A refusal is not remembered under its key either.
      const key = toolNamed(tool).effect === 'read' ? {} : { idempotency_key: 'fresh' };

      const attempt = call(fixture.ada, tool, { ...key, ...input(fixture) });

      await expect(attempt).rejects.toMatchObject({ name: 'DomainError', code, message: expect.stringMatching(/\S/) });
      expect(await hashTables(sql, people.owner.tenant_id)).toEqual(before);
      expect(await hashTables(sql, people.stranger.tenant_id)).toEqual(beside);
    },
  );

  test('a cursor of another question', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }]);
    const { next_cursor: cursor } = await call(as('ada'), 'list_tasks', { page_size: 1 });

    const attempt = call(as('ada'), 'list_tasks', { page_size: 1, cursor, status: ['blocked'] });

    await expect(attempt).rejects.toMatchObject({ code: 'invalid_input' });
    expect(await call(as('ada'), 'list_tasks', { page_size: 1, cursor })).toMatchObject({ tasks: [{ title: 'B' }] });
  });
});

test.for<[tool: string, input: object, empty: object]>([
  ['list_projects', {}, { projects: [] }],
  ['list_tasks', { project: 'web' }, { tasks: [] }],
  ['list_decisions', { project: 'web' }, { decisions: [] }],
  ['list_checkpoints', { project: 'web' }, { checkpoints: [] }],
  ['search', { query: 'pelican' }, { hits: [] }],
  ['claim_task', { project: 'web' }, { hint: expect.stringMatching(/create_tasks/) }],
  ['wait_for_events', { after_seq: 99, timeout_seconds: 1 }, { events: [] }],
])('an empty result of %s is an answer, not an error', async ([tool, input, empty], { as }) => {
  if (tool !== 'list_projects') await plan(as('ada'), []);

  const answer = await call(as('ada'), tool, { ...input });

  expect(answer).toMatchObject(empty);
});
