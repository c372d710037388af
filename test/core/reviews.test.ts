import { describe, expect } from 'vitest';
import { decideApproval } from '../../src/services/approvals.ts';
import { call, person, plan, take } from '../support/calls.ts';
import { verify } from '../support/commands.ts';
import { runnerOf } from '../support/runners.ts';
import { test } from '../support/world.ts';

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
