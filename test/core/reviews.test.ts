import { describe, expect } from 'vitest';
import { decideApproval } from '../../src/services/approvals.ts';
import { call, person, plan, take } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { runnerOf } from '../support/runners.ts';
import { test } from '../support/world.ts';

const approved = { task: 'web-1', decision: 'approved' };

describe('the agent that submitted a task', () => {
  test('is sent what is to be changed as its next command, for that task', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', reviewer: 'bob' }]);
    await runnerOf(as('ada'), 'worker-1');
    await call(as('worker-1'), 'complete_task', await take(as('worker-1'), 'web-1'));

    const changes = { approval: 'web-1', decision: 'denied', note: 'Name the port.' } as const;
    await decideApproval(person(as('ada')), changes);

    expect((await call(as('ada'), 'list_queue')).runs).toMatchObject([{ agent: 'worker-1', status: 'queued' }]);
    expect(await call(as('ada'), 'get_command', {})).toMatchObject({
      ...{ task: 'web-1', content: 'Changes are asked for on web-1, which you submitted: Name the port.' },
    });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('of whom nobody knows more than a name, finds the words with its claim', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', reviewer: 'bob' }]);
    await call(as('ada'), 'complete_task', await take(as('ada'), 'web-1'));

    await decideApproval(person(as('ada')), { approval: 'web-1', decision: 'denied', note: 'Name the port.' });

    expect((await call(as('ada'), 'list_commands')).commands).toEqual([]);
    expect(await call(as('ada'), 'claim_task', {})).toMatchObject({ previous: { reason: 'Name the port.' } });
  });
});

describe('a review', () => {
  test('asked of a person is answered by no agent of that name', async ({ as, sql, people: { owner } }) => {
    await sql.query(`update public.users set name = 'Bob' where id = $1`, [owner.user_id]);
    await plan(as('ada'), [{ title: 'A', reviewer: 'bob' }]);
    await call(as('ada'), 'complete_task', await take(as('ada'), 'web-1'));

    await expect(call(as('bob'), 'review_task', approved)).rejects.toMatchObject({ code: 'forbidden' });

    expect(await decideApproval(person(as('ada')), { approval: 'web-1', decision: 'approved' })).toMatchObject({
      state: 'approved',
    });
  });

  test.for<[holder: string, reviewer: string]>([
    ['codex#7f3a', 'Codex#7F3A'],
    ['codex#7f3a', 'codex#7f3a/docs'],
    ['codex#7f3a/docs', 'codex#7f3a'],
  ])('of what %s did is not answered by %s', async ([holder, reviewer], { as }) => {
    await plan(as('ada'), [{ title: 'A', reviewer: 'codex' }]);
    await call(as(holder), 'complete_task', await take(as(holder), 'web-1'));

    const attempt = call(as(reviewer), 'review_task', approved);
    await expect(attempt).rejects.toMatchObject({ message: 'Whoever did the work does not check it.' });

    await call(as('codex#0001'), 'review_task', approved);
  });

  test('by an agent sends no command: its words wait for the next claim', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', reviewer: 'bob' }]);
    await runnerOf(as('ada'), 'worker-1');
    await call(as('worker-1'), 'complete_task', await take(as('worker-1'), 'web-1'));

    await call(as('bob'), 'review_task', { ...approved, decision: 'changes_requested', note: 'Name the port.' });

    expect((await call(as('ada'), 'list_commands')).commands).toEqual([]);
    expect(await call(as('ada'), 'claim_task', {})).toMatchObject({ previous: { reason: 'Name the port.' } });
  });

  test('is found by the id of its task', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', reviewer: 'bob' }]);
    await call(as('ada'), 'complete_task', await take(as('ada'), 'web-1'));
    const { id } = await call(as('ada'), 'get_task', { task: 'web-1' });

    expect(await call(as('bob'), 'review_task', { ...approved, task: id })).toMatchObject({ state: 'approved' });
  });
});
