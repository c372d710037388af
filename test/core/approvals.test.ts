import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import { decideApproval } from '../../src/services/approvals.ts';
import { listRuns } from '../../src/services/commands.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { callTool } from '../../src/tools/tool.ts';
import { call, person, plan } from '../support/calls.ts';
import { append, verify } from '../support/commands.ts';
import { begunRun, claimed, completed, runnerOf } from '../support/runners.ts';
import { test as base } from '../support/world.ts';

const forbidden = { code: 'forbidden' };
const illegal = { code: 'illegal_transition' };
const invalid = { code: 'invalid_input' };

/** `member` is another person in the same workspace. */
const test = base.extend<{ member: Context }>({
  member: async ({ asStranger, sql, people: { owner, stranger } }, use) => {
    await sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'member')`, [
      owner.tenant_id,
      stranger.user_id,
    ]);
    const eve = asStranger('eve');
    await use({ ...eve, actor: { ...eve.actor, agent: null, tenant_id: owner.tenant_id ?? '' } });
  },
});

const waiting = (id: string, ask: object = {}) => ({
  type: 'run.waiting',
  data: {
    for: 'approval',
    text: 'Run rm?',
    ask: { id, kind: 'permission', title: 'Run rm?', ttl_seconds: 600, detail: { command: 'rm' }, ...ask },
  },
});

/** A run that asks, and how its runner hears of the answer. */
async function askingRun(ctx: Context, ask: object = {}) {
  const begun = await begunRun(ctx, 'claude-1');
  const { run, lock_token, runner } = begun;
  const id = newId();
  await runner.report(run, lock_token, [waiting(id, ask)]);
  const heard = async () => (await runner.beat({ runs: [{ run, lock_token, asks: [id] }] })).runs[0]?.answers;
  const state = async () => (await listRuns(ctx, {})).runs[0];
  return { ...begun, id, heard, state };
}

describe('a question of a run', () => {
  test('waits for a person, who answers it, and the run goes on', async ({ as }) => {
    const { id, heard, state, runner, run, lock_token } = await askingRun(as('ada'));
    expect(await call(as('ada'), 'list_approvals')).toMatchObject({
      approvals: [{ id, kind: 'permission', title: 'Run rm?', state: 'pending', asked_by: 'claude-1', run }],
    });
    expect(await state()).toMatchObject({ status: 'waiting_approval', why: 'Run rm?' });
    expect(await heard()).toBeUndefined();

    const given = { approval: id, decision: 'approved', note: 'Only here.' } as const;
    expect(await decideApproval(person(as('ada')), given)).toMatchObject({ state: 'approved', note: 'Only here.' });
    // The same again changes nothing.
    await decideApproval(person(as('ada')), given);

    expect(await heard()).toMatchObject([{ ask: id, decision: 'approved', note: 'Only here.' }]);
    expect(await state()).toMatchObject({ status: 'running' });
    expect(await call(as('ada'), 'list_approvals')).toEqual({ approvals: [] });
    await runner.report(run, lock_token, [completed]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('opens no review, and names no other task, run or reviewer', async ({ as }) => {
    await plan(as('ada'), [{ title: 'Not its own' }]);
    const { run, lock_token, runner } = await begunRun(as('ada'), 'claude-1');
    const ask = (given: object) => runner.report(run, lock_token, [waiting(newId(), given)]);
    const refused = { ...invalid, details: { field: 'ask' } };

    await expect(ask({ kind: 'task', task: 'web-1', asked_of: 'eve' })).rejects.toMatchObject(refused);
    await expect(ask({ kind: 'task', ttl_seconds: undefined })).rejects.toMatchObject(refused);
    await expect(ask({ kind: undefined })).rejects.toMatchObject(refused);
    await expect(ask({ id: 'x' })).rejects.toMatchObject(refused);
    await expect(ask({ ttl_seconds: undefined })).rejects.toMatchObject({ details: { field: 'ttl_seconds' } });
    await ask({ task: 'web-1', project: 'web', run: newId(), asked_of: 'eve', extra: true });

    const { approvals } = (await call(as('ada'), 'list_approvals')) as never as { approvals: object[] };
    expect(approvals).toMatchObject([{ kind: 'permission', run, detail: { command: 'rm' } }]);
    for (const field of ['task', 'project', 'asked_of']) expect(approvals[0]).not.toHaveProperty(field);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is answered by a person alone: its owner or an administrator', async ({ as, member }) => {
    const { id } = await askingRun(as('ada'));
    const given = { approval: id, decision: 'approved' } as const;

    await expect(decideApproval(as('ada'), given)).rejects.toMatchObject(forbidden);
    await expect(decideApproval(member, given)).rejects.toMatchObject(forbidden);
    await expect(decideApproval(person(as('ada')), { ...given, approval: newId() })).rejects.toMatchObject({
      code: 'not_found',
    });
    const decided = [{ stream: `approval:${id}`, type: 'approval.decided', data: { decision: 'approved' } }];
    await expect(append(person(as('ada')), decided)).rejects.toMatchObject(forbidden);
  });

  test('takes an answer, and one alone', async ({ as }) => {
    const { id, heard } = await askingRun(as('ada'), { kind: 'question', options: ['red', 'blue'] });
    const answer = (given: object) =>
      decideApproval(person(as('ada')), { approval: id, decision: 'approved', ...given });

    await expect(answer({})).rejects.toMatchObject(invalid);
    await answer({ answer: 'red' });
    await expect(answer({ answer: 'blue' })).rejects.toMatchObject(illegal);

    expect(await heard()).toMatchObject([{ decision: 'approved', answer: 'red' }]);
  });

  test('that nobody answers in time is a no, at once and on the record', async ({ as, clock }) => {
    const { id, runner, run, lock_token, state } = await askingRun(as('ada'), { ttl_seconds: 20 });
    await clock.advance({ seconds: 21 });
    const held = { run, lock_token, asks: [id] };

    await expect(decideApproval(person(as('ada')), { approval: id, decision: 'approved' })).rejects.toMatchObject(
      illegal,
    );
    expect((await runner.beat({ runs: [held] })).runs).toMatchObject([{ answers: [{ ask: id, decision: 'expired' }] }]);

    expect(await state()).toMatchObject({ status: 'running' });
    expect(await call(as('ada'), 'list_approvals', { include_decided: true })).toMatchObject({
      approvals: [{ id, state: 'expired' }],
    });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is not asked any more when the run ends', async ({ as }) => {
    const { id, runner, run, lock_token } = await askingRun(as('ada'));
    await runner.report(run, lock_token, [completed]);

    expect(await call(as('ada'), 'list_approvals', { include_decided: true })).toMatchObject({
      approvals: [{ id, state: 'withdrawn' }],
    });
    await expect(decideApproval(person(as('ada')), { approval: id, decision: 'approved' })).rejects.toMatchObject(
      illegal,
    );
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('keeps the run waiting until the last of several is answered; a repeat asks nothing twice', async ({ as }) => {
    const { id, runner, run, lock_token, state } = await askingRun(as('ada'));
    const other = newId();
    await runner.report(run, lock_token, [waiting(other, { title: 'Run mv?' })]);
    await runner.report(run, lock_token, [waiting(other, { title: 'Run mv?' })]);
    expect((await call(as('ada'), 'list_approvals')).approvals).toHaveLength(2);

    await decideApproval(person(as('ada')), { approval: id, decision: 'denied' });
    expect(await state()).toMatchObject({ status: 'waiting_approval' });
    await decideApproval(person(as('ada')), { approval: other, decision: 'denied' });
    expect(await state()).toMatchObject({ status: 'running' });
  });

  test('that was answered and is asked again lets the run go on, unless it waits for another', async ({ as }) => {
    const { id, runner, run, lock_token, state } = await askingRun(as('ada'));
    const other = newId();
    await runner.report(run, lock_token, [waiting(other)]);
    await decideApproval(person(as('ada')), { approval: id, decision: 'approved' });

    await runner.report(run, lock_token, [waiting(id)]);
    expect(await state()).toMatchObject({ status: 'waiting_approval' });
    await decideApproval(person(as('ada')), { approval: other, decision: 'denied' });
    await runner.report(run, lock_token, [waiting(other), waiting(id)]);

    expect(await state()).toMatchObject({ status: 'running' });
    expect((await call(as('ada'), 'list_approvals')).approvals).toEqual([]);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is refused under the id of another, for which its run would wait for nothing', async ({ as }) => {
    const { id } = await askingRun(as('ada'));
    const { id: free } = await call(as('bo'), 'ask_approval', { title: 'Which port?', wait_seconds: 0 });
    const { runner, run, lock_token } = await begunRun(as('ada'), 'claude-2');

    for (const taken of [id, String(free)]) {
      await expect(runner.report(run, lock_token, [waiting(taken)])).rejects.toMatchObject({
        code: 'already_exists',
        details: { field: 'ask' },
      });
    }

    expect(await call(as('ada'), 'list_runs', { agent: 'claude-2' })).toMatchObject({ runs: [{ status: 'running' }] });
  });
});

describe('ask_approval', () => {
  test('waits for the answer, and takes up an earlier question', async ({ as }) => {
    const asked = await call(as('bo'), 'ask_approval', { title: 'Which port?', options: ['1', '2'], wait_seconds: 0 });
    expect(asked).toMatchObject({ kind: 'question', state: 'pending', asked_by: 'bo' });

    const again = call(as('bo'), 'ask_approval', { approval: asked.id, wait_seconds: 10 });
    await decideApproval(person(as('ada')), { approval: asked.id, decision: 'approved', answer: '2' });

    expect(await again).toMatchObject({ state: 'approved', answer: '2' });
    await expect(call(as('bo'), 'ask_approval', { approval: newId() })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('asks for the one run of its agent, and for no run of another person', async ({ as, member }) => {
    const { run } = await begunRun(as('ada'), 'claude-1');

    expect(await call(as('claude-1'), 'ask_approval', { title: 'May I?', wait_seconds: 0 })).toMatchObject({ run });
    const stranger = [
      {
        stream: `approval:${newId()}`,
        type: 'approval.requested',
        data: { kind: 'question', title: 'x', ttl_seconds: 60, run },
      },
    ];
    await expect(append(member, stranger)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('tells what to do with a no, also with that of nobody', async ({ as, clock }) => {
    const first = await call(as('bo'), 'ask_approval', { title: 'Which?', ttl_seconds: 20, wait_seconds: 0 });
    const told = async (approval: string) => {
      return (await callTool(as('bo'), toolNamed('ask_approval'), { approval, wait_seconds: 0 })).text;
    };
    expect(await told(first.id)).not.toContain('end your turn');
    await clock.advance({ seconds: 21 });
    const second = await call(as('bo'), 'ask_approval', { title: 'Which?', wait_seconds: 0 });
    await decideApproval(person(as('ada')), { approval: second.id, decision: 'denied', note: 'Not here.' });

    expect(await told(first.id)).toMatch(/Nobody answered, which is a no\. Do not look for another way.+end your turn/);
    expect(await told(second.id)).toMatch(/Not here\.[\s\S]+Do not look for another way.+end your turn/);
  });

  test('is refused when more wait than a person can answer', async ({ as, sql, people: { owner } }) => {
    await call(as('bo'), 'ask_approval', { title: 'Which?', wait_seconds: 0 });
    await sql.query(
      `insert into public.approvals
      select a.tenant_id, gen_random_uuid(), a.project_id, a.task_id, a.run_id, a.user_id, a.kind, a.title, a.detail,
        a.options, a.asked_by, a.status, a.expires_at, a.decided_by, a.decided_at, a.answer, a.note, a.version,
        a.created_at, a.updated_at
      from public.approvals a, generate_series(1, 499)
      where a.tenant_id = $1`,
      [owner.tenant_id],
    );

    await expect(call(as('bo'), 'ask_approval', { title: 'Which?', wait_seconds: 0 })).rejects.toMatchObject({
      code: 'rate_limited',
    });
  });
});

describe('limits', () => {
  test('of the project count where they are the smallest', async ({ as }) => {
    await call(as('ada'), 'create_project', {
      slug: 'web',
      name: 'Web',
      rules: { limits: { token_budget: 500, time_limit_ms: 900 } },
    });
    await runnerOf(as('ada'), 'claude-1');
    const sent = await call(as('ada'), 'send_command', {
      to: ['claude-1'],
      content: 'x',
      project: 'web',
      limits: { token_budget: 1_000, time_limit_ms: 100 },
    });

    expect(sent).toMatchObject({ limits: { token_budget: 500, time_limit_ms: 100 } });
    await expect(
      call(as('ada'), 'update_project', { project: 'web', rules: { limits: { tokens: 1 } } }),
    ).rejects.toMatchObject(invalid);
  });

  test('of a provider hold the queue of all agents of the account until their time', async ({ as, clock }) => {
    const { runner, run, lock_token } = await begunRun(as('ada'), 'claude-1');
    const same = await runnerOf(as('ada'), 'claude-2');
    const other = await runnerOf(as('ada'), 'codex-1', { type: 'codex' });
    await runner.report(run, lock_token, [{ type: 'run.paused', data: { seconds: 600, reason: 'Usage limit.' } }]);
    await call(as('ada'), 'send_command', { to: ['claude-2', 'codex-1'], content: 'y' });

    expect(await same.claim()).toMatchObject({ nothing: 'nothing waits for it' });
    const { runs } = await call(as('ada'), 'list_queue', { agent: 'claude-2' });
    expect(runs).toMatchObject([
      { why: expect.stringMatching(/account of claude-2 has met its provider's limit, until/) },
    ]);
    await claimed(other);

    await clock.advance({ seconds: 601 });
    await same.beat();
    await claimed(same);
  });
});
