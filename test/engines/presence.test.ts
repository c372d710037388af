import type pg from 'pg';
import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { Actor } from '../../src/db/database.ts';
import { newId } from '../../src/events/ids.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { call, plan, take } from '../support/calls.ts';
import { reportPresence } from '../support/presence.ts';
import { test } from '../support/world.ts';

/** An agent in a process of its own. */
function processOf(ctx: Context): Context {
  return { ...ctx, actor: { ...ctx.actor, process: newId() } };
}

async function resumed(ctx: Context, input: object = {}): Promise<string> {
  return (await callTool(ctx, toolNamed('resume_project'), input)).text;
}

async function secondsLeft(ctx: Context, task: string): Promise<number> {
  const found = await call(ctx, 'get_task', { task });
  const { events } = await call(ctx, 'list_events', { page_size: 1 });
  const now = (events as { at: string }[])[0]?.at ?? '';
  return (Date.parse(String(found['locked_until'])) - Date.parse(now)) / 1_000;
}

type Workspace = { people: { owner: Actor; stranger: Actor }; sql: pg.Pool };

/** The stranger as a member of the owner's workspace. */
async function joining(ctx: Context, { people: { owner, stranger }, sql }: Workspace): Promise<Context> {
  const { tenant_id = '' } = owner;
  await sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'member')`, [
    tenant_id,
    stranger.user_id,
  ]);
  return { ...ctx, actor: { ...ctx.actor, tenant_id } };
}

describe('a process that has ended', () => {
  test('leaves its locks two minutes, in which everybody is told and it is still its own', async ({ as, clock }) => {
    const gone = processOf(as('ada'));
    await reportPresence(gone);
    await plan(gone, [{ title: 'A' }]);
    await take(gone, 'web-1');
    await reportPresence(gone, { ended: true });
    await clock.advance({ seconds: 60 });
    const next = processOf(as('bob'));

    await expect(take(next, 'web-1')).rejects.toMatchObject({
      code: 'lock_held',
      message: 'Task web-1 is held by ada; its session ended 1 minute ago.',
      hint: expect.stringContaining('claim_task with take_over: true, from: ada.'),
    });
    expect(await resumed(next)).toMatch(/web-1 .*held by ada until .*, its session ended 1 minute ago/);
    expect(await resumed(next)).toContain(
      'Next: claim_task web-1 with take_over: true, from: ada; its session has ended.',
    );
    await clock.advance({ seconds: 61 });
    expect(await take(next, 'web-1')).toMatchObject({ task: 'web-1' });
    expect(await resumed(next)).not.toContain('session ended');
  });

  test('is taken over by one of those who are told', async ({ as }) => {
    const gone = processOf(as('ada'));
    await plan(gone, [{ title: 'A' }]);
    await take(gone, 'web-1');
    await reportPresence(gone, { ended: true });

    await take(as('bob'), 'web-1', { take_over: true, from: 'ada' });

    await expect(take(as('cy'), 'web-1', { take_over: true, from: 'ada' })).rejects.toMatchObject({
      code: 'lock_held',
      message: 'Task web-1 is held by bob.',
    });
    await expect(take(as('cy'), 'web-1', { from: 'bob' })).rejects.toMatchObject({ details: { field: 'from' } });
  });

  test('and that two workers go on with is gone on with by one', async ({ as }) => {
    const before = processOf(as('claude-code#f33e'));
    await reportPresence(before);
    await plan(before, [{ title: 'A' }]);
    await take(before, 'web-1');
    await reportPresence(before, { ended: true });
    const after = processOf(as('claude-code#f33e'));
    await reportPresence(after);

    const told = await Promise.all([resumed(after), resumed(after)]);

    expect(told.filter((text) => text.includes('lock_token'))).toHaveLength(1);
    expect(told.filter((text) => text.includes('if that was not another worker of yours'))).toHaveLength(1);
  });

  test('is no reason for another person to take over before the time', async ({ as, asStranger, people, sql }) => {
    const gone = processOf(as('ada'));
    await plan(gone, [{ title: 'A' }]);
    await take(gone, 'web-1');
    await reportPresence(gone, { ended: true });
    const eve = await joining(asStranger('eve'), { people, sql });

    await expect(take(eve, 'web-1', { take_over: true })).rejects.toMatchObject({
      message: 'Task web-1 is held by ada; its session ended just now.',
      hint: expect.not.stringContaining('take_over'),
    });
    expect(await resumed(eve)).not.toContain('take_over');
  });

  test('is ended by no other user', async ({ as, asStranger, people, sql }) => {
    const one = processOf(as('ada'));
    await reportPresence(one);
    await plan(one, [{ title: 'A' }]);
    await take(one, 'web-1');
    const eve = await joining(asStranger('eve'), { people, sql });

    await reportPresence({ ...eve, actor: { ...eve.actor, process: one.actor.process ?? '' } }, { ended: true });

    expect(await secondsLeft(one, 'web-1')).toBeGreaterThan(3_000);
  });

  test('and goes on in another process is given lock and token by resume', async ({ as, clock }) => {
    const before = processOf(as('claude-code#f33e'));
    await reportPresence(before);
    await plan(before, [{ title: 'A' }]);
    const { lock_token } = await take(before, 'web-1');
    const beside = processOf(as('claude-code#f33e'));
    expect(await resumed(beside)).not.toContain('lock_token');

    await reportPresence(before, { ended: true });
    const after = processOf(as('claude-code#f33e'));
    await reportPresence(after);
    expect(await resumed(after)).toContain(`lock_token ${lock_token}`);
    await clock.advance({ seconds: 600 });
    // One worker was told; a second one beside it is not.
    expect(await resumed(after)).not.toContain('lock_token');

    await call(after, 'update_task', { task: 'web-1', lock_token, title: 'B' });
    await reportPresence(after, { ended: true });
    expect(await secondsLeft(after, 'web-1')).toBeLessThan(121);
  });

  test('and comes back after all has its locks again, lapsed or not, unless somebody claimed', async ({
    as,
    clock,
  }) => {
    const one = processOf(as('ada'));
    await reportPresence(one);
    await plan(one, [{ title: 'A' }, { title: 'B' }]);
    const kept = await take(one, 'web-1');
    const lost = await take(one, 'web-2');
    await reportPresence(one, { ended: true });
    await clock.advance({ seconds: 180 });
    await take(as('bob'), 'web-2');

    await reportPresence(one);

    await call(one, 'complete_task', kept);
    await expect(call(one, 'complete_task', lost)).rejects.toMatchObject({ code: 'lock_lost' });
  });
});

describe('a process whose connection is gone', () => {
  test('is found by the next that says it is there', async ({ as, engine, users, clock }) => {
    const lost = await engine.connect(users.owner);
    const one = { ...as('ada'), db: lost.db, actor: { ...as('ada').actor, process: newId() } };
    const next = processOf(as('bob'));
    await reportPresence(one, { watched: true });
    await plan(one, [{ title: 'A' }]);
    await take(one, 'web-1');
    await reportPresence(next, { watched: true });
    expect(await secondsLeft(next, 'web-1')).toBeGreaterThan(3_000);

    await lost.db.close();
    await clock.advance({ seconds: 20 });
    // The server notices a closed connection a moment later.
    await expect
      .poll(async () => {
        await reportPresence(next, { watched: true });
        return resumed(next);
      })
      .toMatch(/its session ended 2\d seconds ago/);

    expect(await secondsLeft(next, 'web-1')).toBeLessThan(145);
  });

  test('lives while it is watched, however long it is silent', async ({ as, engine, users, clock }) => {
    const held = await engine.connect(users.owner);
    const one = { ...as('ada'), db: held.db, actor: { ...as('ada').actor, process: newId() } };
    await reportPresence(one, { watched: true });
    await plan(one, [{ title: 'A' }]);
    await take(one, 'web-1', { ttl_seconds: 86_400 });

    await clock.advance({ seconds: 40_000 });
    await reportPresence(processOf(as('bob')), { watched: true });

    expect(await resumed(as('bob'))).not.toContain('session ended');
    await held.db.close();
  });

  test('and that nobody watches is only silent: its lock has its own time', async ({ as, clock }) => {
    const one = processOf(as('ada'));
    await reportPresence(one);
    await plan(one, [{ title: 'A' }]);
    await take(one, 'web-1');

    const beside = processOf(as('cy'));
    await reportPresence(beside, { watched: true });
    await clock.advance({ seconds: 3_000 });
    await reportPresence(processOf(as('bob')), { watched: true });

    await expect(take(as('bob'), 'web-1')).rejects.toMatchObject({ message: 'Task web-1 is held by ada.' });
  });
});

describe('what a worker calls', () => {
  test('renews what it holds, without an event, and no lock of another', async ({ as, clock }) => {
    const one = processOf(as('ada'));
    await plan(one, [{ title: 'A' }, { title: 'B' }]);
    await take(one, 'web-1', { ttl_seconds: 100, as: 'tests' });
    await take(one, 'web-2', { ttl_seconds: 100, as: 'docs' });
    const { position: before } = await call(one, 'list_events', {});
    await clock.advance({ seconds: 60 });

    await reportPresence(one, { agents: ['ada/tests'] });
    await clock.advance({ seconds: 60 });

    await expect(take(as('bob'), 'web-1')).rejects.toMatchObject({ code: 'lock_held' });
    expect(await take(as('bob'), 'web-2')).toMatchObject({ task: 'web-2' });
    const { position } = await call(one, 'list_events', {});
    expect(position).toBe(Number(before) + 1);
  });

  test('does not bring back a lock whose time is over', async ({ as, clock }) => {
    const one = processOf(as('ada'));
    await plan(one, [{ title: 'A' }]);
    const own = await take(one, 'web-1', { ttl_seconds: 100 });
    await clock.advance({ seconds: 101 });

    await reportPresence(one, { agents: ['ada'] });

    await expect(call(one, 'complete_task', own)).rejects.toThrow('nobody has taken the task since');
  });

  test('a token of one project alone renews nothing beyond it', async ({ as, clock }) => {
    const one = processOf(as('ada'));
    await plan(one, [{ title: 'A' }]);
    await take(one, 'web-1', { ttl_seconds: 100 });
    const { id } = await call(one, 'create_project', { slug: 'other', name: 'Other' });
    await clock.advance({ seconds: 60 });

    await reportPresence({ ...one, actor: { ...one.actor, project_id: String(id) } }, { agents: ['ada'] });
    await clock.advance({ seconds: 60 });

    expect(await take(as('bob'), 'web-1')).toMatchObject({ task: 'web-1' });
  });
});

test('at most a hundred processes are kept of a user, the newest', async ({ as, sql, people }) => {
  const { tenant_id, user_id } = people.owner;
  await reportPresence(processOf(as('ada')));
  await sql.query(
    `insert into app.presence (tenant_id, process, user_id, watched, started_at, beat_at)
     select $1, gen_random_uuid(), $2, false, now() - interval '1 day', now() - make_interval(secs => n)
     from generate_series(1, 120) n`,
    [tenant_id, user_id],
  );

  await reportPresence(processOf(as('bob')));

  const { rows } = await sql.query('select count(*)::integer as count from app.presence where tenant_id = $1', [
    tenant_id,
  ]);
  expect(rows).toEqual([{ count: 100 }]);
});

test('is told of a hundred agents at once and of no more', async ({ as }) => {
  const agents = Array.from({ length: 100 }, (_, at) => `ada/${at}`);

  await reportPresence(processOf(as('ada')), { agents });
  await expect(reportPresence(processOf(as('ada')), { agents: [...agents, 'ada'] })).rejects.toMatchObject({
    code: 'invalid_input',
    message: 'agents must be a list of at most 100 names.',
  });
});

test('refs of locks to go on with are a list of at most a hundred', async ({ as }) => {
  const { db, actor } = processOf(as('ada'));

  await expect(db.call('adopt_locks', { tasks: Array(101).fill('web-1') }, actor)).rejects.toMatchObject({
    code: 'invalid_input',
  });
  expect(await db.call('adopt_locks', { tasks: ['web-1'] }, actor)).toEqual({ adopted: [] });
  await expect(db.call('adopt_locks', { tasks: [] }, as('ada').actor)).rejects.toThrow('actor.process is missing');
});

test('a process that is not named cannot be there', async ({ as }) => {
  await expect(reportPresence(as('ada'))).rejects.toMatchObject({ code: 'invalid_input' });
});
