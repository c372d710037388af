import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { callerOf, givenOf } from '../support/callers.ts';
import { call, plan } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { claimed, completed, runnerOf } from '../support/runners.ts';
import { test } from '../support/world.ts';

/** A run that has claimed web-1. */
async function assigned(as: (agent: string) => Context, given: object = {}) {
  await plan(as('ada'), [{ title: 'A' }]);
  const runner = await runnerOf(as('ada'), 'claude-1');
  await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'x', task: 'web-1', ...given });
  return { runner, ...(await claimed(runner)) };
}

describe('the task of a run', () => {
  test.for([
    [{ status: 'failed', end_reason: 'crashed', error: 'Exit code 1.' }, 'ended as crashed: Exit code 1.'],
    [{ status: 'cancelled', end_reason: 'interrupted' }, 'ended as interrupted.'],
    [completed.data, 'ended as completed.'],
  ] as const)('is free when the run has ended (%o)', async ([data, why], { as }) => {
    const { runner, run, lock_token } = await assigned(as);

    await runner.report(run.id, lock_token, [{ type: 'run.finished', data }]);

    expect(await call(as('bob'), 'claim_task', { task: 'web-1' })).toMatchObject({
      task: { status: 'in_progress' },
      previous: { outcome: 'paused', reason: `The run of claude-1 ${why}`, by: 'claude-1' },
    });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).not.toHaveProperty('attempts');
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is free when the run goes back to the queue, and claimed with it again', async ({ as }) => {
    const { runner, run } = await assigned(as);

    const again = await claimed(runner);

    expect(again.run).toMatchObject({ id: run.id, attempt: 2, task: 'web-1' });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({ locked_by: 'claude-1' });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is free at the end of the turn where hooks alone speak', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);
    const hook = callerOf(as('claude-code#7f3a'));
    await hook.begin();
    await call(as('ada'), 'send_command', { to: [hook.name], content: 'x', task: 'web-1' });
    await hook.told(givenOf(await hook.next()));

    await hook.end();

    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({ status: 'pending', ready: true });
  });

  test('stays with whoever holds it now, or as the agent left it', async ({ as }) => {
    const { runner, run, lock_token } = await assigned(as);
    await call(as('claude-1'), 'release_task', {
      ...{ task: 'web-1', lock_token, outcome: 'paused', reason: 'Half way.' },
    });
    const own = await call(as('bob'), 'claim_task', { task: 'web-1' });

    await runner.report(run.id, lock_token, [completed]);

    expect(own).toMatchObject({ previous: { reason: 'Half way.' } });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({ locked_by: 'bob' });
  });
});
