import { describe, expect } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { call, person } from '../support/calls.ts';
import { append, createProject, exportAll, importAll, record, redact, replay, verify } from '../support/commands.ts';
import { begunRun, claimed, completed, runnerOf } from '../support/runners.ts';
import { test } from '../support/world.ts';

const FINDING = { description: 'The token is in the log.', severity: 'critical', evidence: ['log line 7'] };
const ADVICE = { action: 'Rotate it.', priority: 'high', rationale: 'It was read.' };
const section = (title: string, content = 'x') => ({ title, content });

const saved = (data: object) => ({ stream: `report:${newId()}`, type: 'report.saved', data: { title: 'x', ...data } });

describe('a report', () => {
  test('is begun, added to, and completed', async ({ as }) => {
    const begun = await call(as('ada'), 'save_report', { title: 'Leak', sections: [section('How'), section('Who')] });
    expect(begun).toMatchObject({ title: 'Leak', status: 'draft', written_by: 'ada' });

    const report = begun.id;
    await call(as('ada'), 'save_report', { report, sections: [section('Who', 'Nobody.'), section('When')] });
    const attachments = [{ name: 'log', content: '7: token' }];
    const done = await call(as('bob'), 'save_report', {
      ...{ report, summary: 'A leak.', findings: [FINDING], recommendations: [ADVICE], attachments, complete: true },
      metadata: { tool: 'grep' },
    });

    expect(done).toMatchObject({ id: report, sections: 3, findings: 1, recommendations: 1, attachments: 1 });
    expect(await call(as('ada'), 'get_report', { report })).toMatchObject({
      ...{ title: 'Leak', summary: 'A leak.', status: 'complete', written_by: 'ada', changed_by: 'bob' },
      sections: [section('How'), section('Who', 'Nobody.'), section('When')],
      ...{ findings: [FINDING], recommendations: [ADVICE], attachments, metadata: { tool: 'grep' } },
    });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('has its lists replaced where that is asked, and emptied by none', async ({ as }) => {
    const { id: report } = await call(as('ada'), 'save_report', {
      ...{ title: 'Leak', findings: [FINDING], sections: [section('How')], attachments: [{ name: 'a', content: 'a' }] },
    });

    const sections = [section('Why')];
    await call(as('ada'), 'save_report', { report, sections, attachments: [], replace: true });

    const found = await call(as('ada'), 'get_report', { report });
    expect(found).toMatchObject({ findings: [FINDING], sections });
    expect(found).not.toHaveProperty('attachments');
  });

  test('that is complete takes no change; what is new is another', async ({ as }) => {
    const whole = { title: 'Leak', summary: 'A leak.', complete: true };
    const { id: report } = await call(as('ada'), 'save_report', whole);

    for (const input of [{ summary: 'None.' }, { complete: true }]) {
      const late = call(as('ada'), 'save_report', { report, ...input });
      await expect(late).rejects.toMatchObject({
        code: 'illegal_transition',
        hint: expect.stringContaining('another report'),
      });
    }
    expect((await call(as('ada'), 'save_report', whole)).id).not.toBe(report);
  });

  test('is not saved with nothing new', async ({ as }) => {
    const { id: report } = await call(as('ada'), 'save_report', { title: 'Leak' });

    await expect(call(as('ada'), 'save_report', { report })).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('is completed with a summary alone', async ({ as }) => {
    const bare = call(as('ada'), 'save_report', { title: 'Leak', complete: true });

    await expect(bare).rejects.toMatchObject({ code: 'illegal_transition', details: { field: 'summary' } });
  });

  test('of an agent with one run is of that run, and of its command: the latest complete one', async ({ as }) => {
    const runner = await runnerOf(as('ada'), 'claude-1');
    const { id: command } = await call(as('ada'), 'send_command', { to: ['claude-1'], content: 'Look.' });
    const { run, lock_token } = await claimed(runner);
    await expect(call(as('ada'), 'get_report', { command })).rejects.toMatchObject({ code: 'not_found' });

    const whole = { summary: 'x', complete: true };
    const first = await call(as('claude-1'), 'save_report', { title: 'First', ...whole });
    expect(first).toMatchObject({ run: run.id, command, agent: 'claude-1', is_latest: true });
    const draft = await call(as('claude-1'), 'save_report', { title: 'Draft' });
    expect(await call(as('ada'), 'get_report', { command })).toMatchObject({ title: 'First' });
    await runner.report(run.id, lock_token, [completed]);
    const second = await call(as('ada'), 'save_report', { title: 'Second', run: run.id, ...whole });

    expect(await call(as('ada'), 'get_report', { command })).toMatchObject({ title: 'Second', is_latest: true });
    expect(await call(as('ada'), 'get_report', { report: first.id })).toMatchObject({ is_latest: false });
    expect(await call(as('ada'), 'get_report')).toMatchObject({ id: second.id });
    expect(await call(as('ada'), 'get_command', { command })).toMatchObject({ report: second.id });
    expect(await call(as('claude-1'), 'save_report', { title: 'Later' })).not.toHaveProperty('run');
    expect(draft).toMatchObject({ status: 'draft', command });
  });

  test('is of no run of another person', async ({ as, asStranger }) => {
    const { run } = await begunRun(as('ada'), 'claude-1');

    await expect(call(asStranger('eve'), 'save_report', { title: 'x', run })).rejects.toMatchObject({
      code: 'not_found',
      details: { field: 'run' },
    });
  });

  test('is changed by its owner and administrators alone', async ({ as, asStranger, sql }) => {
    const { id: report } = await call(as('ada'), 'save_report', { title: 'Leak' });
    const { tenant_id = '' } = as('ada').actor;
    const eve = asStranger('eve');
    const insider = { ...eve, actor: { ...eve.actor, tenant_id } };
    await sql.query('insert into public.memberships (tenant_id, user_id, role) values ($1, $2, $3)', [
      ...[tenant_id, eve.actor.user_id, 'member'],
    ]);

    await expect(call(insider, 'save_report', { report, summary: 'x' })).rejects.toMatchObject({ code: 'forbidden' });
    await expect(call(insider, 'get_report', { report })).resolves.toMatchObject({ title: 'Leak' });
  });

  test.for([
    ['a finding without a severity', 'findings', [{ description: 'x' }]],
    ['a finding of no known severity', 'findings', [{ description: 'x', severity: 'bad' }]],
    ['a section with a field that none has', 'sections', [{ ...section('x'), html: 'x' }]],
    ['a section that is no object', 'sections', ['x']],
    ['a recommendation without an action', 'recommendations', [{ priority: 'low' }]],
    ['an attachment of no web address', 'attachments', [{ name: 'x', url: 'javascript:alert(1)' }]],
    ['an attachment with a url and a content', 'attachments', [{ name: 'x', url: 'https://a.test', content: 'x' }]],
    ['an attachment with nothing', 'attachments', [{ name: 'x' }]],
  ])('with %s is refused', async ([, field, items], { as }) => {
    const refused = record(as('ada'), saved({ [String(field)]: items }));

    await expect(refused).rejects.toMatchObject({ code: 'invalid_input', details: { field } });
  });

  test('is refused with an artifact that is not there', async ({ as }) => {
    const refused = record(as('ada'), saved({ attachments: [{ name: 'x', artifact: newId() }] }));

    await expect(refused).rejects.toMatchObject({ code: 'not_found', details: { field: 'attachments' } });
  });

  test('has an end: of sections, of attachments and of its size', async ({ as }) => {
    const { id: report } = await call(as('ada'), 'save_report', { title: 'Long' });
    const change = (data: object) => record(as('ada'), { stream: `report:${report}`, type: 'report.changed', data });
    const many = (from: number) => Array.from({ length: 60 }, (_, at) => section(`Section ${from + at}`));

    await change({ sections: many(0) });
    await expect(change({ sections: many(60) })).rejects.toMatchObject({
      code: 'invalid_input',
      message: 'A report has at most 100 sections.',
    });
    const attached = Array.from({ length: 51 }, (_, at) => ({ name: `${at}`, content: 'x' }));
    await expect(change({ attachments: attached })).rejects.toMatchObject({ code: 'invalid_input' });
    const long = (from: number) =>
      Array.from({ length: 9 }, (_, at) => section(`Long ${from + at}`, 'x'.repeat(20_000)));
    for (const at of [0, 9, 18, 27]) await change({ sections: long(at).slice(0, 9) });
    await change({ attachments: long(0).map(({ title: name, content }) => ({ name, content })) });
    await expect(
      change({ attachments: long(9).map(({ title: name, content }) => ({ name, content })) }),
    ).rejects.toMatchObject({ code: 'invalid_input', message: expect.stringContaining('1 MB') });
  });

  test('is listed by project, agent, command, status and severity', async ({ as }) => {
    await createProject(as('ada'));
    const { run } = await begunRun(as('ada'), 'claude-1');
    await call(as('ada'), 'save_report', { title: 'Leak', project: 'web', findings: [FINDING] });
    await call(as('ada'), 'save_report', { title: 'Run', run, summary: 'x', complete: true });
    const titles = async (chosen: object) => {
      const { reports } = (await as('ada').db.call('list_reports', { ...chosen }, as('ada').actor)) as {
        reports: { title: string }[];
      };
      return reports.map(({ title }) => title);
    };
    const { commands } = (await call(as('ada'), 'list_commands')) as never as { commands: { id: string }[] };

    expect(await titles({})).toEqual(['Run', 'Leak']);
    expect(await titles({ project: 'web' })).toEqual(['Leak']);
    expect(await titles({ agent: 'claude-1' })).toEqual(['Run']);
    expect(await titles({ command: commands[0]?.id })).toEqual(['Run']);
    expect(await titles({ status: 'draft' })).toEqual(['Leak']);
    expect(await titles({ severity: 'critical' })).toEqual(['Leak']);
    expect(await titles({ severity: 'low' })).toEqual([]);
  });

  test('is kept by export and import, blanked by redaction and rebuilt as it was', async ({ as, asStranger }) => {
    await createProject(as('ada'));
    const parts = { title: 'Leak', project: 'web', findings: [FINDING], attachments: [{ name: 'a', content: 'b' }] };
    const { id: report } = await call(as('ada'), 'save_report', parts);
    await call(as('ada'), 'save_report', { report, summary: 'A leak.', complete: true });
    await importAll(asStranger('eve'), await exportAll(as('ada')));
    expect(await call(asStranger('eve'), 'get_report', { report })).toMatchObject({ findings: [FINDING] });

    const [event] = (await exportAll(as('ada'))).filter(({ event_type }) => event_type === 'report.saved');
    await redact(person(as('ada')), event?.seq ?? 0);

    const blank = await call(as('ada'), 'get_report', { report });
    expect(blank).toMatchObject({ title: '[redacted]', summary: 'A leak.', status: 'complete' });
    expect(blank).not.toHaveProperty('findings');
    await replay(as('ada'));
    expect(await call(as('ada'), 'get_report', { report })).toEqual(blank);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is found by search, for who may read what agents do', async ({ as }) => {
    await call(as('ada'), 'save_report', { title: 'Leak', findings: [FINDING] });

    const { hits } = (await call(as('ada'), 'search', { query: 'token log', kinds: ['report'] })) as never as {
      hits: object[];
    };
    expect(hits).toMatchObject([{ kind: 'report', title: 'Leak' }]);
    const reader = { ...as('ada'), scopes: new Set(['projects:read', 'tasks:read'] as const) };
    expect(await call(reader, 'search', { query: 'token log' })).toMatchObject({ hits: [] });
  });

  test('changed by two at once has what both added', async ({ as }) => {
    const { id: report } = await call(as('ada'), 'save_report', { title: 'Leak' });

    await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        append(as('ada'), [
          { stream: `report:${report}`, type: 'report.changed', data: { sections: [section(`${at}`)] } },
        ]),
      ),
    );

    const { sections } = (await call(as('ada'), 'get_report', { report })) as never as { sections: object[] };
    expect(sections).toHaveLength(20);
  });
});
