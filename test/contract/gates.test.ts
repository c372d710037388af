import { describe, expect } from 'vitest';
import { call, person, plan, take } from '../support/calls.ts';
import { record } from '../support/commands.ts';
import { test } from '../support/world.ts';

const diff = { type: 'diff', ref: 'abc123' };

describe('a gate', () => {
  const needsDecision = { decision: true };
  const decide = { title: 'Port', choice: '443', rationale: 'TLS.', task: 'web-1' };
  const missingDecision = {
    code: 'gate_unmet',
    details: { missing: ['a decision for this task (record_decision with task)'] },
  };

  test('on claim holds the task back until its need is met', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }], { gates: [{ on: 'claim', require: needsDecision }] });
    const claim = () => call(as('ada'), 'claim_task', { task: 'web-1' });
    await expect(claim()).rejects.toMatchObject(missingDecision);

    await call(as('bob'), 'record_decision', decide);

    expect(await claim()).toMatchObject({ task: { status: 'in_progress' } });
  });

  test('on complete is told with the claim and holds completion back', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }], { gates: [{ on: 'complete', require: needsDecision }] });
    const { task, gates } = await call(as('ada'), 'claim_task');
    const complete = () => call(as('ada'), 'complete_task', { task: task.ref, lock_token: task.lock_token });
    await expect(complete()).rejects.toMatchObject(missingDecision);

    await call(as('ada'), 'record_decision', decide);

    expect(gates).toEqual(missingDecision.details.missing);
    expect(await complete()).toMatchObject({ task: { status: 'completed' } });
  });

  test.for(['cancelled', 'reopened'] as const)('holds a task back from being %s', async (status, { as }) => {
    const on = status === 'cancelled' ? 'cancel' : 'reopen';
    await plan(as('ada'), [{ title: 'A' }], { gates: [{ on, require: needsDecision }] });
    if (status === 'reopened') await call(as('ada'), 'complete_task', await take(as('ada'), 'web-1'));
    const change = () => call(as('ada'), 'update_task', { task: 'web-1', status, reason: 'So.' });
    await expect(change()).rejects.toMatchObject(missingDecision);

    await call(as('ada'), 'record_decision', decide);

    expect(await change()).toMatchObject({ task: { status: status === 'cancelled' ? 'cancelled' : 'pending' } });
  });

  test('asks for artifacts of each type', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }], { gates: [{ on: 'complete', require: { artifacts: ['diff', 'pr'] } }] });
    const own = await take(as('ada'), 'web-1');
    const complete = () => call(as('ada'), 'complete_task', own);
    await call(as('ada'), 'add_artifact', { ...own, type: 'document', ref: 'x' });
    await expect(complete()).rejects.toMatchObject({
      code: 'gate_unmet',
      details: { missing: [/diff/, /pr/].map(like) },
    });
    await call(as('ada'), 'add_artifact', { ...own, ...diff });
    await expect(complete()).rejects.toMatchObject({ code: 'gate_unmet', details: { missing: [like(/pr/)] } });

    await call(as('ada'), 'add_artifact', { ...own, type: 'pr', ref: '#1' });

    expect(await complete()).toMatchObject({ task: { status: 'completed' } });
  });

  // A note is the agent's word; a test report was observed; what the client named ci adds is ci.
  test.for<[tier: string, short: string | null, enough: string]>([
    ['reported', null, 'note'],
    ['observed', 'note', 'report'],
    ['ci', 'report', 'ci'],
  ])('asks for %s evidence of every criterion', async ([tier, short, enough], { as }) => {
    const criteria = ['It runs', 'It stops'];
    await plan(as('ada'), [{ title: 'A', acceptance_criteria: criteria }], {
      gates: [{ on: 'complete', require: { evidence: tier } }],
    });
    const own = await take(as('ada'), 'web-1');
    const { id: report } = await call(as('ada'), 'add_artifact', { ...own, type: 'test_report', ref: 'run 1' });
    const runner = { ...as('ada'), actor: { ...as('ada').actor, client: 'ci' } };
    const { id: ci } = await call(runner, 'add_artifact', { ...own, type: 'test_report', ref: 'run 2' });
    const proofs: Record<string, object> = {
      note: { note: 'Seen.' },
      report: { artifact: report },
      ci: { artifact: ci },
    };
    const complete = (...kinds: (string | null)[]) =>
      call(as('ada'), 'complete_task', {
        ...own,
        evidence: kinds.flatMap((kind, at) => (kind === null ? [] : [{ criterion: at + 1, ...proofs[kind] }])),
      });

    await expect(complete(short, enough)).rejects.toMatchObject({
      code: 'gate_unmet',
      details: { missing: [like(/criterion 1: "It runs"/)] },
    });
    await expect(complete(enough)).rejects.toMatchObject({
      code: 'gate_unmet',
      details: { missing: [like(/criterion 2: "It stops"/)] },
    });
    const done = await complete(enough, enough);

    expect(done).toMatchObject({ task: { status: 'completed' } });
  });

  test('takes no evidence that is older than the last diff', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', acceptance_criteria: ['It runs'] }], {
      gates: [{ on: 'complete', require: { evidence: 'observed' } }],
    });
    const own = await take(as('ada'), 'web-1');
    const test_report = { ...own, type: 'test_report', ref: 'run' };
    const complete = (artifact: string) =>
      call(as('ada'), 'complete_task', { ...own, evidence: [{ criterion: 1, artifact }] });
    const { id: before } = await call(as('ada'), 'add_artifact', test_report);
    await call(as('ada'), 'add_artifact', { ...own, ...diff });

    await expect(complete(before)).rejects.toMatchObject({
      code: 'gate_unmet',
      details: { missing: [like(/older than the last diff/)] },
    });
    const { id: after } = await call(as('ada'), 'add_artifact', test_report);
    const done = await complete(after);

    expect(done).toMatchObject({ task: { status: 'completed' } });
  });

  test('asks for approval, which only a person gives, and anew after reopening', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }], { gates: [{ on: 'complete', require: { approval: true } }] });
    const approval = { stream: 'task:web-1', type: 'task.approved', data: {} };
    const { task, gates } = await call(as('ada'), 'claim_task', { task: 'web-1' });
    expect(gates).toEqual([like(/cairn approve web-1/)]);
    await expect(record(as('ada'), approval)).rejects.toMatchObject({ code: 'forbidden' });
    await record(person(as('ada')), approval);
    await call(as('ada'), 'complete_task', { task: task.ref, lock_token: task.lock_token });

    await call(as('ada'), 'update_task', { task: 'web-1', status: 'reopened', reason: 'It broke.' });

    const again = await take(as('ada'), 'web-1');
    expect(await call(as('ada'), 'complete_task', again)).toMatchObject({ task: { submitted: true } });
  });

  test('asks for a clean scope: a diff that names its files', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }], {
      scope: { paths: ['src/**'] },
      gates: [{ on: 'complete', require: { clean_scope: true } }],
    });
    const own = await take(as('ada'), 'web-1');
    await call(as('ada'), 'add_artifact', { ...own, ...diff });
    await expect(call(as('ada'), 'complete_task', own)).rejects.toMatchObject({
      code: 'gate_unmet',
      details: { missing: [like(/diff.*files/)] },
    });

    await call(as('ada'), 'add_artifact', { ...own, ...diff, files: ['src/a.ts'] });

    expect(await call(as('ada'), 'complete_task', own)).toMatchObject({ task: { status: 'completed' } });
  });

  test('lists all that is missing at once, of every gate on the move', async ({ as }) => {
    const gates = [
      { on: 'complete', require: { artifacts: ['diff'], decision: true } },
      { on: 'complete', require: { approval: true } },
    ];
    await plan(as('ada'), [{ title: 'A' }], { gates });
    const own = await take(as('ada'), 'web-1');

    const attempt = call(as('ada'), 'complete_task', own);

    await expect(attempt).rejects.toMatchObject({
      details: { missing: [/add_artifact/, /record_decision/, /approve/].map(like) },
    });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({ status: 'in_progress' });
  });

  test('with `when` holds for those tasks alone', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', priority: 'critical' }, { title: 'B' }], {
      gates: [{ on: 'claim', require: needsDecision, when: { priority: ['high', 'critical'] } }],
    });

    await expect(call(as('ada'), 'claim_task', { task: 'web-1' })).rejects.toMatchObject(missingDecision);
    const other = await call(as('ada'), 'claim_task', { task: 'web-2' });

    expect(other).toMatchObject({ task: { status: 'in_progress' } });
  });

  test('does not keep the other ready tasks from being claimed', async ({ as }) => {
    const gates = [{ on: 'claim', require: needsDecision, when: { priority: ['critical'] } }];
    await plan(as('ada'), [{ title: 'A', priority: 'critical' }, { title: 'B' }], { gates });

    const claimed = await call(as('ada'), 'claim_task');

    expect(claimed).toMatchObject({ task: { ref: 'web-2' } });
  });

  test('asks for a clean scope as it is now', async ({ as }) => {
    const gates = [{ on: 'complete', require: { clean_scope: true } }];
    await plan(as('ada'), [{ title: 'A' }], { gates });
    const own = await take(as('ada'), 'web-1');
    await call(as('ada'), 'add_artifact', { ...own, ...diff, files: ['src/a.ts'] });
    const rules = { scope: { paths: ['docs/**'] }, gates };
    await call(as('ada'), 'update_project', { project: 'web', rules, expected_version: 1 });

    const attempt = call(as('ada'), 'complete_task', own);

    await expect(attempt).rejects.toMatchObject({ code: 'gate_unmet' });
  });
});

function like(pattern: RegExp): unknown {
  return expect.stringMatching(pattern);
}
