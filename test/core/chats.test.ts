import { describe, expect } from 'vitest';
import * as z from 'zod';
import type { Context } from '../../src/context.ts';
import { sqlFunction } from '../../src/db/sql-function.ts';
import { newId } from '../../src/events/ids.ts';
import { stopAgents } from '../../src/services/agents.ts';
import { getRunUse } from '../../src/services/run-trace.ts';
import { addChatSteps, type Chat, type Step } from '../../src/services/steps.ts';
import { callerOf } from '../support/callers.ts';
import { call, person } from '../support/calls.ts';
import { record, replay, verify } from '../support/commands.ts';
import { request, send, stepsOf } from '../support/reports.ts';
import { begunRun, runnerOf } from '../support/runners.ts';
import { test } from '../support/world.ts';

const settleRuns = sqlFunction('settle_runs', z.object({ settled: z.int() }));

const CHAT: Chat = { session: 'one', program: 'claude-code', type: 'claude' };

const report = (ctx: Context, chat: Partial<Chat> = {}, steps: Step[] = [request(newId(), 'a', { tokens_in: 7 })]) =>
  addChatSteps(ctx, { chat: { ...CHAT, ...chat }, steps });
const settle = ({ db, actor }: Context) => settleRuns({ db, actor: { ...actor, agent: null } }, {});
const statusOf = async (ctx: Context, run: string) => (await getRunUse(ctx, { run })).status;
const within = (ctx: Context, project_id: string): Context => ({ ...ctx, actor: { ...ctx.actor, project_id } });

describe('a session of a program that no runner drives', () => {
  test('is one run of mode chat, of an agent that bears the name of its program', async ({ as }) => {
    const first = await report(as('ada'));
    const again = await report(as('ada'), {}, [request(newId(), 'b')]);
    const other = await report(as('ada'), { session: 'two' });
    const codex = await report(as('ada'), { session: 'three', program: 'codex', type: 'codex' });

    expect([first, again, other, codex].map(({ agent }) => agent)).toEqual([
      ...['claude-code', 'claude-code', 'claude-code', 'codex'],
    ]);
    expect(new Set([first.run, again.run, other.run, codex.run]).size).toBe(3);
    expect(await stepsOf(as('ada'), first.run)).toHaveLength(2);
    expect(await getRunUse(as('ada'), { run: first.run })).toMatchObject({
      ...{ status: 'running', mode: 'turn', usage: [{ requests: 2, tokens_in: 7 }], steps_count: 2 },
    });
    const { agents } = await call(as('ada'), 'list_agents');
    expect(agents).toMatchObject([
      { name: 'codex', type: 'codex', driver: 'otlp', state: 'online' },
      { name: 'claude-code', type: 'claude', driver: 'otlp', reach: 'only reports: nothing reaches it' },
    ]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
    await replay(as('ada'));
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is one run, also when its first reports come at once', async ({ as, withWriters }) => {
    const reported = await withWriters(as('ada'), (writers) =>
      Promise.all(writers.map((writer) => report({ ...as('ada'), ...writer }))),
    );

    expect(new Set(reported.map(({ run }) => run)).size).toBe(1);
    expect((await call(as('ada'), 'list_agents')).agents).toHaveLength(1);
  });

  test('is its reporter own, whatever it is called: nobody reaches the run of another', async ({
    as,
    asStranger,
    sql,
  }) => {
    const ada = await report(as('ada'));
    const eve = await report(asStranger('eve'));
    const { tenant_id } = as('ada').actor;
    await sql.query(`insert into memberships (tenant_id, user_id, role) values ($1, $2, 'member')`, [
      ...[tenant_id, asStranger('eve').actor.user_id],
    ]);
    const guest = { ...asStranger('eve'), actor: { ...asStranger('eve').actor, tenant_id } } as Context;
    const driven = await begunRun(as('ada'));

    const beside = await report(guest);
    const named = await report(guest, { session: ada.run });
    const ofRunner = await report(as('ada'), { session: driven.run });

    const runs = [ada.run, eve.run, beside.run, named.run, ofRunner.run, driven.run];
    expect(new Set(runs).size).toBe(runs.length);
    expect(await stepsOf(as('ada'), ada.run)).toHaveLength(1);
    expect(await stepsOf(as('ada'), driven.run)).toEqual([]);
    // Of the same program, for another person.
    expect([ada.agent, beside.agent]).toEqual(['claude-code', 'claude-code-2']);
  });

  test('is of the project of its token, or else of the one that its program names', async ({ as, sql }) => {
    for (const slug of ['web', 'shop', 'gone']) await call(as('ada'), 'create_project', { slug, name: slug });
    await record(as('ada'), { stream: 'project:gone', type: 'project.archived', data: {} });
    const { rows } = await sql.query<{ id: string; slug: string }>(
      'select id, slug from projects where tenant_id = $1',
      [as('ada').actor.tenant_id],
    );
    const idOf = (slug: string) => rows.find((row) => row.slug === slug)?.id ?? '';
    const projectOf = async (run: string) =>
      (await sql.query('select project_id from agent_runs where id = $1', [run])).rows[0]?.project_id;
    const bound = within(as('ada'), idOf('web'));

    expect(await projectOf((await report(as('ada'), { session: 'a', project: 'Shop' })).run)).toBe(idOf('shop'));
    expect(await projectOf((await report(as('ada'), { session: 'b', project: 'nowhere' })).run)).toBe(null);
    expect(await projectOf((await report(as('ada'), { session: 'c', project: 'gone' })).run)).toBe(null);
    const limited = await report(bound, { session: 'a', project: 'shop' });
    expect(await projectOf(limited.run)).toBe(idOf('web'));
    expect(limited.agent).toBe('claude-code-2');
    const other = await report(within(as('ada'), idOf('shop')), { session: 'a' });
    expect([other.agent, await projectOf(other.run)]).toEqual(['claude-code-3', idOf('shop')]);
    await record(as('ada'), { stream: 'project:web', type: 'project.archived', data: {} });
    await expect(report(bound, { session: 'd' })).rejects.toMatchObject({ code: 'illegal_transition' });
  });

  test('keeps what was said only where its project says so', async ({ as }) => {
    const rules = { traces: { content: true } };
    await call(as('ada'), 'create_project', { slug: 'open', name: 'Open', rules });
    const said = [request(newId(), 'a', { content: { prompt: 'The secret word is heron.' } })];

    const [kept, shut] = [
      await report(as('ada'), { project: 'open' }, said),
      await report(as('ada'), { session: 'two' }, said),
    ];

    expect([kept.keeps_content, shut.keeps_content]).toEqual([true, false]);
    expect(await stepsOf(as('ada'), kept.run)).toMatchObject([{ content: { prompt: 'The secret word is heron.' } }]);
    expect((await stepsOf(as('ada'), shut.run))[0]?.content).toBeUndefined();
  });

  test('has ended when nothing was heard of it for half an hour, and takes what comes late', async ({ as, clock }) => {
    const { run } = await report(as('ada'));
    await clock.advance({ seconds: 1_500 });
    await report(as('ada'), {}, [request(newId(), 'b')]);
    await clock.advance({ seconds: 1_500 });
    expect(await settle(as('ada'))).toEqual({ settled: 0 });
    expect(await statusOf(as('ada'), run)).toBe('running');

    await clock.advance({ seconds: 301 });

    expect(await settle(as('ada'))).toEqual({ settled: 1 });
    expect(await getRunUse(as('ada'), { run })).toMatchObject({ status: 'completed', end_reason: 'completed' });
    expect((await report(as('ada'), {}, [request(newId(), 'c')])).run).toBe(run);
    expect(await stepsOf(as('ada'), run)).toHaveLength(3);
    expect(await statusOf(as('ada'), run)).toBe('completed');
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is ended by nobody else', async ({ as, clock }) => {
    const { run } = await report(as('ada'));
    await clock.advance({ seconds: 700 });
    await settle(as('ada'));

    expect(await statusOf(as('ada'), run)).toBe('running');
    await expect(call(as('ada'), 'interrupt_run', { run })).rejects.toMatchObject({
      code: 'illegal_transition',
      message: `Nothing reaches the run ${run}: its program only reports.`,
    });
  });

  test('holds no project back, and is over with it', async ({ as }) => {
    await call(as('ada'), 'create_project', { slug: 'web', name: 'Web' });
    const { run } = await report(as('ada'), { project: 'web' });

    await record(as('ada'), { stream: 'project:web', type: 'project.archived', data: {} });

    expect(await statusOf(as('ada'), run)).toBe('completed');
  });

  test('is refused where it is named as nothing can be', async ({ as }) => {
    const wrong: Partial<Chat>[] = [
      ...[{ session: '' }, { session: 'x'.repeat(201) }, { program: 'all' }, { program: 'A b' }, { program: newId() }],
      ...[{ type: 'Claude 4' }, { project: 7 as unknown as string }],
    ];

    for (const chat of wrong) await expect(report(as('ada'), chat)).rejects.toMatchObject({ code: 'invalid_input' });
    await expect(report(as('ada'), {}, [request(newId(), 'a', { tokens_in: -1 })])).rejects.toMatchObject({
      code: 'invalid_input',
    });
    expect((await call(as('ada'), 'list_runs')).runs).toEqual([]);
  });

  test('is one of so many that programs may begin in an hour', async ({ as, sql, clock }) => {
    await report(as('ada'));
    await sql.query(`update app.rates set count = 600 where tenant_id = $1 and bucket like 'runs %'`, [
      as('ada').actor.tenant_id,
    ]);

    await report(as('ada'), {}, [request(newId(), 'b')]);
    await expect(report(as('ada'), { session: 'two' })).rejects.toMatchObject({
      code: 'rate_limited',
      details: { retry_after_seconds: expect.any(Number) },
    });
    await clock.advance({ seconds: 3_601 });
    await report(as('ada'), { session: 'two' });
  });
});

describe('an agent that only reports', () => {
  test('is taken over by no runner and no hook of that name', async ({ as }) => {
    await report(as('ada'));
    const refused = {
      code: 'already_exists',
      message: 'The agent claude-code is a program that only reports.',
    };

    await expect(runnerOf(as('ada'), 'claude-code')).rejects.toMatchObject(refused);
    await expect(callerOf(as('claude-code')).begin()).rejects.toMatchObject(refused);
  });

  test('takes no commands, and counts as none that runners drive', async ({ as }) => {
    await report(as('ada'));
    const send = (to: string) => call(as('ada'), 'send_command', { to: [to], content: 'Fish.' });

    await expect(send('claude-code')).rejects.toMatchObject({
      code: 'forbidden',
      message: 'claude-code takes no commands: it only reports.',
    });
    expect(await stopAgents(person(as('ada')), { reach: 'workspace', stopped: true })).toMatchObject({ running: 0 });
    await expect(send('all')).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is on the audit trail when it comes, once while it goes on', async ({ as, sql, clock }) => {
    const entries = async () =>
      (
        await sql.query('select event_type from audit_entries where tenant_id = $1 order by created_at', [
          as('ada').actor.tenant_id,
        ])
      ).rows.map(({ event_type }) => event_type);
    await report(as('ada'));
    await report(as('ada'), { session: 'two' });
    await clock.advance({ seconds: 120 });
    await report(as('ada'));
    expect(await entries()).toEqual(['agent_connect']);

    await clock.advance({ seconds: 1_000 });
    await report(as('ada'));

    expect(await entries()).toEqual(['agent_connect', 'agent_disconnect', 'agent_connect']);
  });

  test('goes on reporting under the name that a person gave it', async ({ as }) => {
    await report(as('ada'));
    await call(as('ada'), 'change_agent', { agent: 'claude-code', change: 'rename', name: 'laptop' });

    expect((await report(as('ada'), { session: 'two' })).agent).toBe('laptop');
  });
});

test('steps of a runner say whether what was said is kept', async ({ as }) => {
  const begun = await begunRun(as('ada'));

  expect(await send(as('ada'), begun, { steps: [request(begun.run, 'a')] })).toEqual({
    ...{ agent: 'heron-1', stored: 1, keeps_content: false },
  });
});
