import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { writeChecklist } from '../../src/formats/checklist-writer.ts';
import { writeCsv } from '../../src/formats/csv.ts';
import { adoptTasks } from '../../src/services/adoption.ts';
import { planAdoption } from '../../src/services/adoption-plan.ts';
import { toolNamed } from '../../src/tools/catalog.ts';
import { renderError } from '../../src/tools/render.ts';
import { callTool } from '../../src/tools/tool.ts';
import { call, plan, take } from '../support/calls.ts';
import { record, replay, verify } from '../support/commands.ts';
import { rowsOf } from '../support/rows.ts';
import { test } from '../support/world.ts';

const GATE = { on: 'complete', require: { evidence: 'reported' } };
const UNGATED = { gates: [] };
const criteria = ['It runs', 'It stops', 'It is quiet'];

async function say(ctx: Context, tool: string, input: object = {}): Promise<string> {
  return (await callTool(ctx, toolNamed(tool), input)).text;
}

/** web-1 with three criteria, completed with evidence for the second alone. */
async function completeInPart(ctx: Context): Promise<void> {
  const first = { key: 'a', title: 'A', acceptance_criteria: criteria };
  await plan(ctx, [first, { title: 'B', dependencies: ['a'] }], UNGATED);
  await call(ctx, 'complete_task', { ...(await take(ctx, 'web-1')), evidence: [{ criterion: 2, note: 'Seen.' }] });
}

describe('a new project', () => {
  test.for<[what: string, rules: object | undefined, recorded: object]>([
    ['without rules', undefined, { gates: [GATE] }],
    ['with rules that name no gates', { attempts_max: 3 }, { attempts_max: 3, gates: [GATE] }],
    ['with gates of its own', { gates: [{ on: 'claim', require: { approval: true } }] }, {}],
    ['with no gate', UNGATED, UNGATED],
  ])('%s records which rules it has', async ([, rules, recorded], { as, sql, people }) => {
    const answer = await call(as('ada'), 'create_project', { slug: 'web', name: 'Web', rules });

    const { rows } = await sql.query(
      `select payload -> 'rules' as rules from public.events where event_type = 'project.created' and tenant_id = $1`,
      [people.owner.tenant_id],
    );
    expect(rows).toEqual([{ rules: { ...rules, ...recorded } }]);
    expect(answer['rules']).toEqual({ ...rules, ...recorded });
  });

  test('that skips our programs has the gate too', async ({ as }) => {
    const id = crypto.randomUUID();

    await record(as('ada'), { stream: `project:${id}`, type: 'project.created', data: { slug: 'web', name: 'Web' } });

    expect(await call(as('ada'), 'get_project', { project: 'web' })).toMatchObject({
      project: { rules: { gates: [GATE] } },
    });
  });

  test('completes a task without criteria as before', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A' }]);

    const done = await call(as('ada'), 'complete_task', await take(as('ada'), 'web-1'));

    expect(done.task).toMatchObject({ status: 'completed' });
  });

  test('refuses completion without evidence and says how the call has to answer', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', acceptance_criteria: criteria.slice(0, 2) }]);
    const { gates } = await call(as('ada'), 'claim_task', { task: 'web-1' });
    const own = await take(as('ada'), 'web-1', { take_over: true });
    const evidence = [{ criterion: 1, note: 'Seen.' }];

    const refused = await call(as('ada'), 'complete_task', { ...own, evidence }).catch(renderError);
    const wanted = JSON.parse(/evidence: (\[.*\])\./.exec(String(refused))?.[1] ?? '');
    const unfilled = call(as('ada'), 'complete_task', { ...own, evidence: wanted });
    await expect(unfilled).rejects.toMatchObject({ hint: expect.stringContaining('what shows it') });
    const filled = wanted.map((item: object) => ({ ...item, note: '3 passed' }));
    const done = await call(as('ada'), 'complete_task', { ...own, evidence: filled });

    expect(gates).toEqual(['reported evidence (a note or an artifact) for each criterion']);
    expect(refused).toMatch(/^gate_unmet: .* for criterion 2: "It stops"/);
    expect(wanted).toEqual([1, 2].map((criterion) => ({ criterion, note: '' })));
    expect(done.task).toMatchObject({ status: 'completed' });
  });

  test('takes no blank note for evidence', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', acceptance_criteria: ['It runs'] }]);
    const own = await take(as('ada'), 'web-1');

    const attempt = call(as('ada'), 'complete_task', { ...own, evidence: [{ criterion: 1, note: ' \n\u200b' }] });

    await expect(attempt).rejects.toMatchObject({ code: 'invalid_input', details: { field: 'evidence' } });
  });

  test('says it when an update leaves completion without a gate', async ({ as }) => {
    await plan(as('ada'), []);

    const kept = await say(as('ada'), 'update_project', { project: 'web', name: 'Shop' });
    const lost = await say(as('ada'), 'update_project', { project: 'web', rules: { attempts_max: 2 } });

    expect(kept).toMatch(/is completed with evidence/);
    expect(lost).toMatch(/completed without evidence/);
  });

  test('takes over what was completed elsewhere as reported', async ({ as }) => {
    const project = await call(as('ada'), 'create_project', { slug: 'web', name: 'Web' });
    const found = { key: 'a', place: 'x', title: 'A', acceptance_criteria: criteria, unmet: [criteria[1] ?? ''] };

    const { warnings } = await adoptTasks(
      as('ada'),
      planAdoption([{ ...found, status: 'completed', dependencies: [] }]),
      {
        project: { id: project.id, slug: 'web' },
        format: 'beads',
      },
    );

    expect(warnings).toEqual([]);
    const reported = { tier: 'reported', note: 'Reported as completed by beads.' };
    const unticked = { ...reported, note: 'Reported as completed by beads, where this criterion is not ticked.' };
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({
      status: 'completed',
      evidence: criteria.map((_, at) => (at === 1 ? unticked : reported)),
    });
  });
});

describe('a task that was completed without evidence for all criteria', () => {
  test('is answered with what is unproven', async ({ as }) => {
    await plan(as('ada'), [{ title: 'A', acceptance_criteria: criteria }], UNGATED);
    const own = await take(as('ada'), 'web-1');

    const text = await say(as('ada'), 'complete_task', { ...own, evidence: [{ criterion: 2, note: 'Seen.' }] });

    expect(text).toMatch(/^web-1 completed, unproven 1, 3/);
    expect(text).toMatch(/Nothing shows criteria 1, 3\./);
  });

  test('is unproven wherever it shows', async ({ as }) => {
    await completeInPart(as('ada'));
    const unproven = [1, 3];

    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({ unproven });
    expect(await call(as('ada'), 'list_tasks', { project: 'web' })).toMatchObject({
      counts: { completed: 1, unproven: 1 },
      tasks: [{ ref: 'web-1', unproven }, { ref: 'web-2' }],
    });
    expect(await call(as('ada'), 'claim_task', { task: 'web-2' })).toMatchObject({
      task: { dependencies: [{ ref: 'web-1', unproven }] },
    });
    expect(await call(as('ada'), 'get_state', { project: 'web' })).toMatchObject({ tasks: [{ unproven }, {}] });
    for (const [tool, input] of [
      ['resume_project', { project: 'web' }],
      ['list_projects', {}],
    ] as const) {
      expect(await say(as('ada'), tool, input)).toMatch(/1 unproven/);
    }
    expect(await say(as('ada'), 'list_events', { task: 'web-1' })).toMatch(/task completed, unproven 1, 3/);
  });

  test('is found by the filter, which goes with others', async ({ as }) => {
    await completeInPart(as('ada'));
    const find = async (filters: object) =>
      (await call(as('ada'), 'list_tasks', { project: 'web', unproven: true, ...filters })).tasks.map(({ ref }) => ref);

    expect(await find({})).toEqual(['web-1']);
    expect(await find({ status: ['completed'] })).toEqual(['web-1']);
    expect(await find({ query: 'B' })).toEqual([]);
    expect(await find({ status: ['pending'] })).toEqual([]);
    expect(await find({ ready: true })).toEqual([]);
  });

  test('is exported as unproven', async ({ as }) => {
    await completeInPart(as('ada'));
    const tasks = [await call(as('ada'), 'get_task', { task: 'web-1' })] as unknown as Parameters<typeof writeCsv>[0];

    expect(writeCsv(tasks).split('\r\n')[0]).toMatch(/,unproven\b/);
    expect(writeCsv(tasks)).toMatch(/"1\n3"/);
    expect(writeChecklist('Web', tasks)).toMatch(/> Unproven: criteria 1, 3/);
  });

  test('is proven once it was done again with evidence', async ({ as }) => {
    await completeInPart(as('ada'));
    await call(as('ada'), 'update_task', { task: 'web-1', status: 'reopened', reason: 'To show it.' });
    const reopened = await call(as('ada'), 'get_task', { task: 'web-1' });

    const evidence = [1, 2, 3].map((criterion) => ({ criterion, note: 'Seen.' }));
    const done = await call(as('ada'), 'complete_task', { ...(await take(as('ada'), 'web-1')), evidence });

    expect(reopened).not.toHaveProperty('unproven');
    expect(done.task).not.toHaveProperty('unproven');
  });

  test('is the same after a replay', async ({ as, people, sql }) => {
    await completeInPart(as('ada'));
    const before = await rowsOf(sql, people.owner.tenant_id);

    await replay(as('ada'));

    expect(await rowsOf(sql, people.owner.tenant_id)).toEqual(before);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
    expect(await call(as('ada'), 'get_task', { task: 'web-1' })).toMatchObject({ unproven: [1, 3] });
  });
});
