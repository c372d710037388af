import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import { call, plan, take } from '../support/calls.ts';
import { reportPresence } from '../support/presence.ts';
import { test } from '../support/world.ts';

function processOf(ctx: Context): Context {
  return { ...ctx, actor: { ...ctx.actor, process: newId() } };
}

describe('a lock is given to one', () => {
  test('also where several workers, or agents, use one idempotency_key', async ({ as }) => {
    const client = as('claude-code#f33e');
    await plan(client, [{ title: 'A' }, { title: 'B' }]);
    const claim = (ctx: Context, input = {}) => call(ctx, 'claim_task', { idempotency_key: 'claim', ...input });
    const { task } = await claim(client, { as: 'w1' });

    const others: [Context, object?][] = [[client, { as: 'w2' }], [client], [as('other')]];
    for (const [ctx, input] of others) {
      await expect(claim(ctx, input)).rejects.toMatchObject({ code: 'idempotency_mismatch' });
    }
    expect((await claim(client, { as: 'w1' })).task).toMatchObject({ ref: task.ref, lock_token: task.lock_token });
  });

  test('and stays with the process that took it, when another that borrowed its token ends', async ({ as, clock }) => {
    const [owner, helper] = [processOf(as('ada')), processOf(as('ada'))];
    await reportPresence(owner);
    await reportPresence(helper);
    await plan(owner, [{ title: 'A' }]);
    const own = await take(owner, 'web-1');

    await call(helper, 'extend_lock', { ...own, ttl_seconds: 3_600 });
    await call(helper, 'add_artifact', { ...own, type: 'pr', ref: '#1' });
    await reportPresence(helper, { agents: ['ada'] });
    await reportPresence(helper, { ended: true });
    await clock.advance({ seconds: 300 });

    expect((await call(owner, 'complete_task', own)).task).toMatchObject({ status: 'completed' });
  });

  test('and is taken again by who lost it to the time, as often as that happens', async ({ as, clock }) => {
    await plan(as('ada'), [{ title: 'A' }], { attempts_max: 1 });
    for (let turn = 0; turn < 3; turn += 1) {
      await take(as('ada'), 'web-1', { ttl_seconds: 60 });
      await clock.advance({ seconds: 61 });
    }

    expect((await call(as('bob'), 'claim_task', { task: 'web-1' })).task).toBeUndefined();
  });
});

test('what a completed task was shown by is not exchanged', async ({ as }) => {
  await plan(as('ada'), [{ title: 'A', acceptance_criteria: ['The tests pass'] }]);
  const own = await take(as('ada'), 'web-1');
  const { task } = await call(as('ada'), 'complete_task', { ...own, evidence: [{ criterion: 1, note: '3 passed' }] });
  const change = { task: 'web-1', acceptance_criteria: ['An audit'], expected_version: task.version };

  await expect(call(as('ada'), 'update_task', change)).rejects.toMatchObject({
    code: 'illegal_transition',
    hint: expect.stringContaining('Reopen it'),
  });
});
