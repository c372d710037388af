import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { ask } from '../support/ask.ts';
import { call, plan, take } from '../support/calls.ts';
import { reportPresence } from '../support/presence.ts';
import { test } from '../support/world.ts';

/** The same agent in a process of its own. */
function processOf(ctx: Context): Context {
  return { ...ctx, actor: { ...ctx.actor, process: newId() } };
}

async function resumed(ctx: Context, input: object = {}): Promise<{ text: string; mine: object[] }> {
  const { text, structured } = await callTool(ctx, toolNamed('resume_project'), input);
  return { text, mine: (structured['mine'] ?? []) as object[] };
}

describe('two workers of one client', () => {
  test('never hold one task, whether they have names or not', async ({ as }) => {
    const client = processOf(as('claude-code#f33e'));
    await plan(client, [{ title: 'A' }, { title: 'B' }]);
    await take(client, 'web-1');
    await take(client, 'web-2', { as: 'tests' });

    for (const input of [{}, { as: 'docs' }]) {
      for (const task of ['web-1', 'web-2']) {
        await expect(take(client, task, input)).rejects.toMatchObject({
          code: 'lock_held',
          hint: expect.stringMatching(/Only if that was you, and no other worker or session of yours.*take_over: true/),
        });
      }
    }
  });

  test('are told apart in the log, and each finds what it holds', async ({ as }) => {
    const client = processOf(as('claude-code#f33e'));
    await plan(client, [{ title: 'A' }, { title: 'B' }]);
    await call(client, 'claim_task', { as: 'tests' });
    await call(client, 'claim_task', { as: 'docs' });

    const { events } = await call(client, 'list_events', { types: ['task.claimed'] });
    const mine = await call(client, 'list_tasks', { mine: true, as: 'docs' });

    expect((events as { by: string }[]).map(({ by }) => by).sort()).toEqual([
      'claude-code#f33e/docs',
      'claude-code#f33e/tests',
    ]);
    expect(mine.tasks).toMatchObject([{ ref: 'web-2', locked_by: 'claude-code#f33e/docs' }]);
  });

  test('are not told the token of each other', async ({ as }) => {
    const client = processOf(as('claude-code#f33e'));
    await plan(client, [{ title: 'A' }, { title: 'B' }]);
    await take(client, 'web-1');
    const own = await take(client, 'web-2', { as: 'tests' });

    const unnamed = await resumed(client);
    const named = await resumed(client, { as: 'tests' });
    const other = await resumed(client, { as: 'docs' });

    expect(unnamed.mine).toMatchObject([{ ref: 'web-1' }]);
    expect(unnamed.text).toContain('Next: if you lost the token of web-1, claim_task web-1 with take_over: true;');
    expect(unnamed.text).toMatch(/web-1 .*if that was not another worker of yours, take_over: true/);
    for (const { text } of [unnamed, other]) expect(text).not.toContain('lock_token');
    expect(named.mine).toMatchObject([{ ref: 'web-2', lock_token: own.lock_token }]);
    expect(named.text).toContain('Next: go on with web-2.');
    expect(other.mine).toEqual([]);
  });

  test('find what they hold among any number that others do', async ({ as }) => {
    const client = processOf(as('claude-code#f33e'));
    const batch = Array.from({ length: 50 }, (_, at) => ({ title: `A${at}` }));
    await plan(client, batch);
    for (const _ of [1, 2]) await call(client, 'create_tasks', { tasks: batch });
    for (let at = 1; at <= 105; at += 1) await take(as('busy'), `web-${at}`);
    await take(client, 'web-106');

    expect((await resumed(client)).mine).toMatchObject([{ ref: 'web-106' }]);
  });

  test('finish their own tasks with their own tokens', async ({ as }) => {
    const client = processOf(as('claude-code#f33e'));
    await plan(client, [{ title: 'A' }, { title: 'B' }]);
    const [one, two] = [await take(client, 'web-1', { as: 'one' }), await take(client, 'web-2', { as: 'two' })];

    await expect(
      call(client, 'complete_task', { ...two, lock_token: one.lock_token + 100, as: 'one' }),
    ).rejects.toMatchObject({ code: 'lock_lost' });
    await call(client, 'complete_task', { ...one, as: 'one' });
    const done = await call(client, 'complete_task', { ...two, as: 'two' });

    expect(done.task).toMatchObject({ ref: 'web-2', status: 'completed' });
  });

  test.for([' ', 'a b', 'a/b', 'x'.repeat(41)])('are not called %j', async (name, { as }) => {
    await plan(as('ada'), [{ title: 'A' }]);

    await expect(call(as('ada'), 'claim_task', { as: name })).rejects.toMatchObject({ code: 'invalid_input' });
  });
});

describe('a session that goes on in another process', () => {
  test('beside a worker of the same name that lives is not told its token', async ({ as }) => {
    const [one, two] = [processOf(as('claude-code#f33e')), processOf(as('claude-code#f33e'))];
    await reportPresence(one);
    await plan(one, [{ title: 'A' }]);
    const { lock_token } = await take(one, 'web-1', { as: 'tests' });

    expect((await resumed(two, { as: 'tests' })).text).not.toContain('lock_token');
    expect((await resumed(one, { as: 'tests' })).text).toContain(`lock_token ${lock_token}`);
  });

  test('is given the locks and the tokens of the earlier one, of its workers too', async ({ as }) => {
    const before = processOf(as('claude-code#f33e'));
    await plan(before, [{ title: 'A' }, { title: 'B' }, { title: 'C' }]);
    const [first, second] = [await take(before, 'web-1'), await take(before, 'web-2', { as: 'tests' })];
    await take(as('claude-code#f33f'), 'web-3');

    const { mine, text } = await resumed(processOf(as('claude-code#f33e')));

    expect(mine).toMatchObject([
      { ref: 'web-1', lock_token: first.lock_token },
      { ref: 'web-2', lock_token: second.lock_token, locked_by: 'claude-code#f33e/tests' },
    ]);
    expect(text).toContain('Next: go on with web-1.');
  });

  test('is told to claim again what lapsed, and gets it with a token', async ({ as, clock }) => {
    const before = processOf(as('claude-code#f33e'));
    await plan(before, [{ title: 'A' }]);
    const lost = await take(before, 'web-1', { ttl_seconds: 60 });
    await clock.advance({ seconds: 61 });
    const after = processOf(as('claude-code#f33e'));

    const { mine, text } = await resumed(after);
    const again = await take(after, 'web-1');

    expect(JSON.stringify(mine)).not.toContain('lock_token');
    expect(text).toContain('Next: claim_task web-1 again; its lock expired, and nobody took it.');
    expect(again.lock_token).toBeGreaterThan(lost.lock_token);
  });

  test('is told once of what lapsed with another, as ready', async ({ as, clock }) => {
    await plan(as('ada'), [{ title: 'A' }, { title: 'B' }]);
    await take(as('ada'), 'web-1', { ttl_seconds: 60 });
    await take(as('ada'), 'web-2');
    await clock.advance({ seconds: 61 });

    const { text } = await resumed(as('bob'));

    expect(text.split('In progress')[1]?.match(/web-\d/g)).toEqual(['web-2', 'web-1']);
  });
});

test('SQL by itself tells no token of a worker that lives, and none of a lock that lapsed', async ({ as, clock }) => {
  const client = processOf(as('claude-code#f33e'));
  const told = (ctx: Context) => ask<{ mine: object[] }>(ctx, 'resume_project', { project: 'web' });
  await plan(client, [{ title: 'A' }]);
  await take(client, 'web-1', { ttl_seconds: 60 });

  const { mine } = await told(client);
  await clock.advance({ seconds: 61 });
  const later = await told(processOf(as('claude-code#f33e')));

  expect([mine, later.mine]).toEqual([[expect.anything()], [expect.anything()]]);
  expect(JSON.stringify([mine, later.mine])).not.toContain('lock_token');
});

test('a lock of before the process was kept is shown with its token to who goes by its name', async ({ as }) => {
  await plan(as('ada'), [{ title: 'A' }]);
  const { lock_token } = await take(as('ada'), 'web-1');

  const { mine } = await resumed(processOf(as('ada')));

  expect(mine).toMatchObject([{ ref: 'web-1', lock_token }]);
});
