import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { call, person, plan, take } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { test } from '../support/world.ts';

const diff = { type: 'diff', ref: 'abc123' };

describe('scope', () => {
  test.for<[what: string, scope: object, constraints: object, given: object, outside: string[]]>([
    ['a file beside the paths', { paths: ['src/**'] }, {}, { files: ['src/a/b.ts', 'docs/a.md'] }, ['docs/a.md']],
    [
      'a denied file',
      { deny: ['**/*.lock', '.env'] },
      {},
      { files: ['a.ts', 'x/y.lock', '.env'] },
      ['x/y.lock', '.env'],
    ],
    [
      'a denied file within the paths',
      { paths: ['src/**'], deny: ['src/gen/*'] },
      {},
      { files: ['src/gen/a.ts'] },
      ['src/gen/a.ts'],
    ],
    [
      'a folder below a single star',
      { paths: ['src/*.ts'] },
      {},
      { files: ['src/a.ts', 'src/b/c.ts'] },
      ['src/b/c.ts'],
    ],
    ['a way out of the paths', { paths: ['src/**'] }, {}, { files: ['src/../.env'] }, ['src/../.env']],
    [
      'what only the project allows',
      { paths: ['src/**'] },
      { paths: ['src/api/**'] },
      { files: ['src/api/a.ts', 'src/b.ts'] },
      ['src/b.ts'],
    ],
    [
      'what only the task allows',
      { paths: ['src/**'] },
      { paths: ['docs/**'] },
      { files: ['docs/a.md'] },
      ['docs/a.md'],
    ],
    ['what the task denies', {}, { deny: ['src/old/**'] }, { files: ['src/old/a.ts'] }, ['src/old/a.ts']],
  ])('refuses %s and lists it', async ([, scope, constraints, given, outside], { as }) => {
    await plan(as('ada'), [{ title: 'A', constraints }], { scope });
    const own = await take(as('ada'), 'web-1');

    const attempt = call(as('ada'), 'add_artifact', { ...own, ...diff, ...given });

    await expect(attempt).rejects.toMatchObject({ code: 'scope_violation', details: { files: outside } });
    expect(await call(as('ada'), 'list_artifacts', { task: 'web-1' })).toEqual({ artifacts: [] });
  });

  test.for<[what: string, scope: object, constraints: object, given: object]>([
    ['too many files', { files_max: 1 }, {}, { files: ['a', 'b'] }],
    ['too many lines', { lines_max: 10 }, {}, { files: ['a'], lines_changed: 11 }],
    ['more files than the task allows', { files_max: 5 }, { files_max: 1 }, { files: ['a', 'b'] }],
    ['more lines than the task allows', {}, { lines_max: 3 }, { files: ['a'], lines_changed: 4 }],
  ])('refuses %s and shows the limit', async ([, scope, constraints, given], { as }) => {
    await plan(as('ada'), [{ title: 'A', constraints }], { scope });
    const own = await take(as('ada'), 'web-1');

    const attempt = call(as('ada'), 'add_artifact', { ...own, ...diff, ...given });

    await expect(attempt).rejects.toMatchObject({
      code: 'scope_violation',
      details: { scope: { ...scope, ...constraints } },
    });
  });

  test('lets through what keeps to it, to the last file and line', async ({ as }) => {
    const scope = { paths: ['src/**', '*.md'], deny: ['src/gen/**'], files_max: 3, lines_max: 10 };
    await plan(as('ada'), [{ title: 'A', constraints: { files_max: 2 } }], { scope });
    const own = await take(as('ada'), 'web-1');

    await call(as('ada'), 'add_artifact', { ...own, ...diff, files: ['src/x/a.ts', 'README.md'], lines_changed: 10 });
    await call(as('ada'), 'add_artifact', { ...own, type: 'document', ref: 'x', files: ['src/gen/elsewhere'] });

    expect(await call(as('ada'), 'list_artifacts', { task: 'web-1' })).toMatchObject({ artifacts: [{}, {}] });
  });

  test('is shown with the claim, as the task narrows it', async ({ as }) => {
    const scope = { paths: ['src/**'], deny: ['.env'], files_max: 9, notes: ['Be kind.'] };
    const constraints = { paths: ['src/api/**'], deny: ['*.lock'], files_max: 2, lines_max: 50, notes: ['Be quick.'] };
    await plan(as('ada'), [{ title: 'A', constraints }], { scope });

    const { task } = await call(as('ada'), 'claim_task');

    expect(task['scope']).toEqual({
      paths: ['src/api/**'],
      project_paths: ['src/**'],
      deny: ['.env', '*.lock'],
      files_max: 2,
      lines_max: 50,
      notes: ['Be kind.', 'Be quick.'],
    });
  });

  test('is not widened by a task', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }], { scope: { files_max: 2, lines_max: 9 } });

    const create = () => call(as('ada'), 'create_tasks', { tasks: [{ title: 'B', constraints: { files_max: 3 } }] });
    const change = () => call(as('ada'), 'update_task', { task: 'web-1', constraints: { lines_max: 10 } });

    await expect(create()).rejects.toMatchObject({
      code: 'invalid_input',
      details: { field: 'constraints.files_max' },
    });
    await expect(change()).rejects.toMatchObject({
      code: 'invalid_input',
      details: { field: 'constraints.lines_max' },
    });
  });
});

test('a task that may be tried once says that it was given up once', async ({ as }) => {
  await plan(as('ada'), [{ title: 'A' }], { attempts_max: 1 });

  const { task } = await call(as('ada'), 'release_task', {
    ...(await take(as('ada'), 'web-1')),
    outcome: 'failed',
    reason: 'No luck.',
  });

  expect(task).toMatchObject({ blocked_reason: like(/^It was given up once, the most/) });
  await expect(call(as('ada'), 'update_task', { task: 'web-1', status: 'unblocked' })).rejects.toMatchObject({
    message: like(/^Task web-1 was given up once, the most/),
  });
});

test('a task that failed as often as its project allows is blocked for a person', async ({ as }) => {
  await plan(as('ada'), [{ title: 'A' }], { attempts_max: 2 });
  const fail = async () =>
    call(as('ada'), 'release_task', { ...(await take(as('ada'), 'web-1')), outcome: 'failed', reason: 'No luck.' });
  await call(as('ada'), 'release_task', { ...(await take(as('ada'), 'web-1')), outcome: 'paused', reason: 'Lunch.' });
  const first = await fail();

  const second = await fail();

  expect(first).toMatchObject({ task: { status: 'pending', attempts: 1 } });
  expect(second).toMatchObject({
    task: { status: 'blocked', attempts: 2, blocked_reason: like(/person decides.*No luck/) },
  });
  await expect(take(as('ada'), 'web-1')).rejects.toMatchObject({ code: 'illegal_transition' });
  const unblock = { task: 'web-1', status: 'unblocked' };
  await expect(call(as('ada'), 'update_task', unblock)).rejects.toMatchObject({ code: 'forbidden' });
  await call(as('ada'), 'update_task', { task: 'web-1', status: 'cancelled', reason: 'Round the rule.' });
  const reopen = { task: 'web-1', status: 'reopened', reason: 'Round the rule.' };
  await expect(call(as('ada'), 'update_task', reopen)).rejects.toMatchObject({ code: 'forbidden' });
  await call(person(as('ada')), 'update_task', reopen);
  await fail();
  await call(person(as('ada')), 'update_task', { task: 'web-1', status: 'unblocked' });
  expect(await call(as('bob'), 'claim_task')).toMatchObject({
    task: { ref: 'web-1' },
    previous: { outcome: 'failed' },
  });
});

describe('a claim that lapsed', () => {
  const lapse = async (ctx: Context, clock: { advance(by: { seconds: number }): Promise<void> }) => {
    await take(ctx, 'web-1', { ttl_seconds: 60 });
    await clock.advance({ seconds: 61 });
  };

  test('as the last attempt leaves the task blocked for a person, and the next agent gets another', async ({
    as,
    clock,
  }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }], { attempts_max: 2 });
    await lapse(as('ada'), clock);
    await lapse(as('bob'), clock);

    const next = await call(as('eve'), 'claim_task');

    expect(next).toMatchObject({ task: { ref: 'web-2' } });
    expect(await call(as('eve'), 'get_task', { task: 'web-1' })).toMatchObject({
      status: 'blocked',
      attempts: 2,
      last_agent: 'bob',
      blocked_reason: like(/person decides.*The claim of bob lapsed/),
    });
    expect(await verify(as('eve'))).toMatchObject({ ok: true });
  });

  test('as the last attempt is not claimed by its ref either', async ({ as, clock }) => {
    await plan(as('ada'), [{ title: 'A' }], { attempts_max: 1 });
    await lapse(as('ada'), clock);

    const refused = await call(as('bob'), 'claim_task', { task: 'web-1' });

    expect(refused).toMatchObject({ counts: { blocked: 1 }, hint: like(/blocked for a person/) });
    expect(refused.task).toBeUndefined();
    await call(person(as('bob')), 'update_task', { task: 'web-1', status: 'unblocked' });
    expect(await take(as('bob'), 'web-1')).toMatchObject({ task: 'web-1' });
  });

  test('counts where another may still try', async ({ as, clock }) => {
    await plan(as('ada'), [{ title: 'A' }], { attempts_max: 2 });
    await lapse(as('ada'), clock);

    expect(await call(as('bob'), 'claim_task')).toMatchObject({ task: { ref: 'web-1', attempts: 1 } });
  });
});

function like(pattern: RegExp): unknown {
  return expect.stringMatching(pattern);
}
