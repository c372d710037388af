import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import { decideApproval } from '../../src/services/approvals.ts';
import { approveTask, completeUnheldTask } from '../../src/services/tasks.ts';
import { call, person, plan, take } from '../support/calls.ts';
import { append, verify } from '../support/commands.ts';
import { test } from '../support/world.ts';

const forbidden = { code: 'forbidden' };
const evidence = [{ criterion: 1, note: 'npm test printed 12 passed.' }];

/** web-1, which bob checks, as ada submits it. */
async function submitted(as: (agent: string) => Context, task: object = {}, rules: object = {}) {
  await plan(as('ada'), [{ title: 'A', acceptance_criteria: ['It runs'], reviewer: 'bob', ...task }], rules);
  const own = await take(as('ada'), 'web-1');
  return call(as('ada'), 'complete_task', { ...own, summary: 'Done.', evidence });
}

const open = async (ctx: Context) => (await call(ctx, 'list_approvals')).approvals;

describe('a task that names who checks it', () => {
  test('says so with the claim, and waits for its review instead of being completed', async ({ as }) => {
    await plan(as('ada'), [
      { title: 'A', acceptance_criteria: ['It runs'], reviewer: 'bob' },
      { title: 'B', dependencies: [] },
    ]);
    const { task, gates } = await call(as('ada'), 'claim_task', { task: 'web-1' });
    expect(gates).toContain('review by bob');

    const answer = await call(as('ada'), 'complete_task', {
      ...{ task: task.ref, lock_token: task.lock_token, summary: 'Done.', evidence },
    });

    expect(answer).toMatchObject({
      task: { status: 'blocked', submitted: true, blocked_reason: expect.stringMatching(/review by bob/) },
    });
    expect(await open(as('ada'))).toMatchObject([
      { kind: 'task', task: 'web-1', asked_by: 'ada', asked_of: 'bob', state: 'pending', detail: { summary: 'Done.' } },
    ]);
    await expect(call(as('cyd'), 'claim_task', { task: 'web-1' })).rejects.toMatchObject({
      code: 'illegal_transition',
    });
  });

  test('is completed by who checks it, with the evidence of its holder, and frees what waits for it', async ({
    as,
  }) => {
    await submitted(as);
    await call(as('ada'), 'create_tasks', { project: 'web', tasks: [{ title: 'B', dependencies: ['web-1'] }] });

    const decided = await call(as('bob'), 'review_task', { task: 'web-1', decision: 'approved' });

    expect(decided).toMatchObject({ state: 'approved', decided_by: 'bob' });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({
      ...{ status: 'completed', summary: 'Done.', evidence: [{ criterion: 1, note: evidence[0]?.note }] },
    });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).not.toHaveProperty('last_reason');
    expect(await call(as('ada'), 'get_task', { task: 'web-2' })).toMatchObject({ ready: true });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is submitted once, however often its holder completes it', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', reviewer: 'bob' }]);
    const own = await take(as('ada'), 'web-1');
    await call(as('ada'), 'complete_task', own);

    expect(await call(as('ada'), 'complete_task', own)).toMatchObject({ repeated: true, task: { submitted: true } });

    expect(await open(as('ada'))).toHaveLength(1);
    await expect(append(as('ada'), [{ stream: 'task:web-1', type: 'task.submitted', data: {} }])).rejects.toMatchObject(
      forbidden,
    );
  });

  test('goes back with words if changes are asked for, and is submitted again', async ({ as }) => {
    await submitted(as);
    const changes = { task: 'web-1', decision: 'changes_requested' };
    await expect(call(as('bob'), 'review_task', changes)).rejects.toMatchObject({ code: 'invalid_input' });

    await call(as('bob'), 'review_task', { ...changes, note: 'Name the port.' });

    expect(await open(as('ada'))).toEqual([]);
    const { task, previous } = await call(as('ada'), 'claim_task', { task: 'web-1' });
    expect(previous).toEqual({ outcome: 'changes_requested', reason: 'Name the port.', by: 'bob' });
    await call(as('ada'), 'complete_task', { task: 'web-1', lock_token: task.lock_token, evidence });
    await call(as('bob'), 'review_task', { task: 'web-1', decision: 'approved' });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({ status: 'completed' });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is checked by nobody else, and never by who did the work', async ({ as }) => {
    await submitted(as, { reviewer: 'ada' });
    const yes = { task: 'web-1', decision: 'approved' };

    await expect(call(as('ada'), 'review_task', yes)).rejects.toMatchObject(forbidden);
    await expect(call(as('cyd'), 'review_task', yes)).rejects.toMatchObject(forbidden);
    await decideApproval(person(as('ada')), { approval: 'web-1', decision: 'approved' });

    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({ status: 'completed' });
    await expect(call(as('bob'), 'review_task', yes)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is asked for by submitting it alone, and any other question has an end', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', reviewer: 'bob' }]);
    const ask = (data: object) =>
      append(as('ada'), [
        { stream: `approval:${newId()}`, type: 'approval.requested', data: { title: 'Done?', task: 'web-1', ...data } },
      ]);

    await expect(ask({ kind: 'task' })).rejects.toMatchObject({
      code: 'invalid_input',
      details: { field: 'kind' },
      hint: "The task's holder submits it by completing it.",
    });
    await expect(ask({ kind: 'question' })).rejects.toMatchObject({ details: { field: 'ttl_seconds' } });
  });

  test('keeps who checks it from an agent that would rather not', async ({ as }) => {
    await submitted(as);
    const record = { stream: 'task:web-1', type: 'task.updated', data: { reviewer: '' } };

    await expect(append(as('ada'), [record])).rejects.toMatchObject(forbidden);
    await append(person(as('ada')), [record]);

    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).not.toHaveProperty('reviewer');
  });

  test('is completed at once by a person who may check it', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', reviewer: 'bob' }]);
    const own = await take(person(as('ada')), 'web-1');

    expect(await call(person(as('ada')), 'complete_task', own)).toMatchObject({ task: { status: 'completed' } });
  });

  test('is not asked for any more once it is unblocked or cancelled', async ({ as }) => {
    await submitted(as);

    await call(as('ada'), 'update_task', { task: 'web-1', status: 'unblocked', reason: 'I forgot the docs.' });

    expect(await open(as('ada'))).toEqual([]);
    expect((await call(as('ada'), 'list_approvals', { include_decided: true })).approvals).toMatchObject([
      { state: 'withdrawn' },
    ]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });
});

describe('a gate that asks for approval', () => {
  const rules = { gates: [{ on: 'complete', require: { approval: true } }] };

  test('lets a person submit what nobody holds, once nothing else is missing', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', acceptance_criteria: ['It runs'] }], {
      gates: [{ on: 'complete', require: { approval: true, evidence: 'reported' } }],
    });
    const close = (more: object) => completeUnheldTask(person(as('ada')), { task: 'web-1', ...more });
    await expect(close({})).rejects.toMatchObject({
      code: 'gate_unmet',
      details: { missing: [expect.stringContaining('evidence'), expect.stringContaining('approval')] },
    });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({ status: 'pending' });

    expect(await close({ evidence })).toMatchObject({ task: { submitted: true } });

    expect(await open(as('ada'))).toMatchObject([{ kind: 'task', task: 'web-1' }]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('lets a holder submit, and a person’s yes complete the task', async ({ as }) => {
    const answer = await submitted(as, { reviewer: undefined }, rules);
    expect(answer).toMatchObject({ task: { submitted: true } });
    const yes = { task: 'web-1', decision: 'approved' };
    await expect(call(as('bob'), 'review_task', yes)).rejects.toMatchObject({
      ...forbidden,
      message: expect.stringContaining('is answered by a person, not by an agent.'),
    });
    await expect(call(as('ada'), 'review_task', yes)).rejects.toMatchObject({ hint: 'It waits for a person.' });

    await approveTask(person(as('ada')), { task: 'web-1' });

    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({
      status: 'completed',
      summary: 'Done.',
    });
    expect(await open(as('ada'))).toEqual([]);
    expect((await call(as('ada'), 'list_approvals', { include_decided: true })).approvals).toMatchObject([
      { kind: 'task', state: 'approved' },
    ]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('takes no agent’s review in a person’s place', async ({ as }) => {
    await submitted(as, {}, rules);

    await expect(call(as('bob'), 'review_task', { task: 'web-1', decision: 'approved' })).rejects.toMatchObject({
      code: 'gate_unmet',
    });

    expect(await open(as('ada'))).toMatchObject([{ state: 'pending' }]);
  });
});
