import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { call, plan, take } from '../support/calls.ts';
import { test } from '../support/world.ts';

/** Asks every place that decides readiness: the list and its count, the project's count, resume, and a claim. */
async function ready(
  ctx: Context,
): Promise<{ refs: unknown[]; counts: unknown[]; shown: unknown[]; flags: unknown[] }> {
  const { tasks, counts } = await call(ctx, 'list_tasks', { ready: true });
  const all = await call(ctx, 'list_tasks', { page_size: 100 });
  const resumed = await call(ctx, 'resume_project');
  const { project } = (await call(ctx, 'get_project')) as unknown as { project: { tasks: { ready: number } } };
  return {
    refs: tasks.map(({ ref }) => ref),
    counts: [(counts as { ready: number }).ready, project.tasks.ready],
    shown: ((resumed['ready'] ?? []) as { ref: string }[]).map(({ ref }) => ref),
    flags: all.tasks.filter((task) => task['ready']).map(({ ref }) => ref),
  };
}

async function expectReady(ctx: Context, refs: string[]): Promise<void> {
  const sorted = [...refs].sort();
  const found = await ready(ctx);
  expect(found).toEqual({ refs, counts: [refs.length, refs.length], shown: refs, flags: expect.anything() });
  expect([...found.flags].sort()).toEqual(sorted);
  expect(await ctx.db.call('verify_events', {}, ctx.actor)).toMatchObject({ ok: true });
}

describe('a claim that has lapsed', () => {
  test('is ready wherever one asks', async ({ as, clock }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B', priority: 'low' }]);
    await take(as('ada'), 'web-1', { ttl_seconds: 60 });
    await expectReady(as('bob'), ['web-2']);

    await clock.advance({ seconds: 61 });

    await expectReady(as('bob'), ['web-1', 'web-2']);
    const { counts } = await call(as('bob'), 'list_tasks');
    expect(counts).toMatchObject({ ready: 2, in_progress: 1, lapsed: 1, pending: 1 });
    const { task } = await call(as('bob'), 'claim_task');
    expect(task.ref).toBe('web-1');
    await expectReady(as('bob'), ['web-2']);
  });

  test('is not ready where it was the last that its project allows', async ({ as, clock }) => {
    await plan(as('ada'), [{ title: 'A' }], { attempts_max: 1 });
    await take(as('ada'), 'web-1', { ttl_seconds: 60 });
    await clock.advance({ seconds: 61 });

    await expectReady(as('bob'), []);
    expect(await call(as('bob'), 'claim_task')).not.toHaveProperty('task');
  });
});

describe('a task with open parts', () => {
  test('is ready when its parts are done, and not before', async ({ as }) => {
    await plan(as('ada'), [{ title: 'Whole' }]);
    await expectReady(as('ada'), ['web-1']);
    await call(as('ada'), 'create_tasks', {
      tasks: [
        { title: 'Part', parent: 'web-1' },
        { title: 'Other part', parent: 'web-1' },
      ],
    });
    await expectReady(as('ada'), ['web-2', 'web-3']);

    const { task } = await call(as('ada'), 'claim_task');
    expect(task.ref).toBe('web-2');
    await call(as('ada'), 'complete_task', { task: 'web-2', lock_token: task.lock_token });
    await expectReady(as('ada'), ['web-3']);
    await call(as('ada'), 'update_task', { task: 'web-3', status: 'cancelled', reason: 'Not needed.' });

    await expectReady(as('ada'), ['web-1']);
    await call(as('ada'), 'update_task', { task: 'web-2', status: 'reopened', reason: 'Again.' });
    await expectReady(as('ada'), ['web-2']);
  });

  test('is claimed by its ref, and names them when it ends before they do', async ({ as }) => {
    await plan(as('ada'), [{ title: 'Whole' }]);
    await call(as('ada'), 'create_tasks', { tasks: [{ title: 'Part', parent: 'web-1' }] });
    const own = await take(as('ada'), 'web-1');

    const { text } = await callTool(as('ada'), toolNamed('complete_task'), own);

    expect(text).toContain('Its parts are still open: web-2.');
    await expectReady(as('ada'), ['web-2']);
  });

  test('counts those that come and go, whatever moves them', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }]);
    await call(as('ada'), 'create_tasks', { tasks: [{ title: 'C', parent: 'web-1' }] });
    await expectReady(as('ada'), ['web-2', 'web-3']);
    const { version } = await call(as('ada'), 'get_task', { task: 'web-3' });

    await call(as('ada'), 'update_task', { task: 'web-3', parent: 'web-2', expected_version: version });

    await expectReady(as('ada'), ['web-1', 'web-3']);
    await as('ada').db.call('replay_events', {}, as('ada').actor);
    await expectReady(as('ada'), ['web-1', 'web-3']);
  });

  test('waits for them also when what it depends on is done first', async ({ as }) => {
    await plan(as('ada'), [{ title: 'First' }]);
    await call(as('ada'), 'create_tasks', { tasks: [{ title: 'Whole', dependencies: ['web-1'] }] });
    await call(as('ada'), 'create_tasks', { tasks: [{ title: 'Part', parent: 'web-2' }] });
    await expectReady(as('ada'), ['web-1', 'web-3']);

    await call(as('ada'), 'complete_task', await take(as('ada'), 'web-1'));

    await expectReady(as('ada'), ['web-3']);
    await call(as('ada'), 'complete_task', await take(as('ada'), 'web-3'));
    await expectReady(as('ada'), ['web-2']);
  });
});
