import { describe, expect } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { stopAgents } from '../../src/services/agents.ts';
import { AUDIT_KINDS, listAudit } from '../../src/services/audit.ts';
import { asRole } from '../support/as-role.ts';
import { count, kindsOf, LIVED, list, live, test } from '../support/audit.ts';
import { call, person } from '../support/calls.ts';
import { replay, verify } from '../support/commands.ts';
import { runnerOf } from '../support/runners.ts';

describe('the audit trail', () => {
  test('has each kind of deed once, when it is done', async ({ as, settle }) => {
    await live(as('ada'), { settle });

    const kinds = await kindsOf(as('ada'));

    expect(Object.keys(LIVED).toSorted()).toEqual(AUDIT_KINDS.filter((kind) => kind !== 'retention_run').toSorted());
    expect(Object.fromEntries(Object.keys(LIVED).map((kind) => [kind, count(kinds, kind)]))).toEqual(LIVED);
    expect(kinds).toHaveLength(Object.values(LIVED).reduce((sum, n) => sum + n));
    for (const kind of AUDIT_KINDS) {
      expect([kind, await kindsOf(as('ada'), { kind })]).toEqual([kind, Array(LIVED[kind] ?? 0).fill(kind)]);
    }
  });

  test('says who did it, through what, from where, and what it was about', async ({ as, settle, people }) => {
    const { command } = await live(as('ada'), { settle });
    const [only = ''] = await (async () =>
      (await list(as('ada'), { kind: 'agent_connect' })).map((one) => one.agent_id))();

    const one = async (kind: (typeof AUDIT_KINDS)[number]) => (await list(as('ada'), { kind })).at(-1);

    const who = { user_id: people.owner.user_id, program: 'test' };
    expect(await one('agent_connect')).toMatchObject({ ...who, agent: 'heron', agent_id: only });
    expect(await one('agent_disconnect')).toMatchObject({ agent: 'heron', details: { reason: 'goodbye' } });
    expect(await one('command_sent')).toMatchObject({
      ...{ ...who, command, agent: 'heron' },
      details: { by: 'ada', content: 'Look.', to: ['heron'] },
    });
    expect(await one('command_delivered')).toMatchObject({ command, agent: 'heron', details: { path: 'pipe' } });
    expect(await one('command_interrupted')).toMatchObject({ agent: 'heron', details: { reason: 'Enough.' } });
    expect(await one('command_completed')).toMatchObject({ command, details: { status: 'completed' } });
    expect(await one('approval_decided')).toMatchObject({ agent: 'heron', details: { decision: 'denied' } });
    expect(await one('emergency_stop')).toMatchObject({ details: { stopped: true, reason: 'Fire.' } });
    expect(await one('preset_used')).toMatchObject({ command, details: { by: 'ada' } });
    expect(await one('user_login')).toMatchObject({ ip: '192.0.2.7', details: { amr: ['pwd'] } });
    expect(await one('time_limit_exceeded')).toMatchObject({ agent: 'heron', command: expect.any(String) });
  });

  test('is asked by kind, person, agent, command and time, together too', async ({ as, settle, clock, member }) => {
    const { command } = await live(as('ada'), { settle });
    const before = new Date().toISOString();
    await clock.advance({ seconds: 60 });
    await stopAgents(person(as('ada')), { reach: 'workspace', stopped: false });
    await runnerOf(as('ada'), 'egret');
    await call(member, 'save_preset', { name: 'Hers', content: 'x' });

    expect(await kindsOf(as('ada'), { command })).toEqual([
      ...['command_completed', 'command_delivered', 'preset_used', 'command_sent'],
    ]);
    expect(await kindsOf(as('ada'), { agent: 'egret' })).toEqual(['agent_connect']);
    const heron = await kindsOf(as('ada'), { agent: 'heron' });
    expect(count(heron, 'command_sent')).toBe(5);
    expect(heron).toEqual(expect.arrayContaining(['agent_connect', 'approval_requested', 'command_expired']));
    expect(heron).not.toContain('user_login');
    expect(await kindsOf(as('ada'), { agent: 'heron', command, kind: 'command_delivered' })).toHaveLength(1);
    expect(await kindsOf(as('ada'), { agent: 'heron', kind: 'agent_disconnect' })).toHaveLength(1);
    expect(await kindsOf(as('ada'), { since: before })).toEqual(['preset_created', 'agent_connect', 'emergency_stop']);
    expect(await kindsOf(as('ada'), { until: before, kind: 'emergency_stop' })).toHaveLength(1);
    expect(await kindsOf(as('ada'), { person: member.actor.user_id })).toEqual(['preset_created']);
    const { rows: names } = { rows: await list(as('ada'), { person: member.actor.user_id }) };
    expect(await kindsOf(as('ada'), { person: names[0]?.user?.toUpperCase() ?? '' })).toEqual(['preset_created']);
    await expect(list(as('ada'), { person: 'nobody' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(list(as('ada'), { agent: 'nobody' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(list(as('ada'), { command: newId() })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is read page by page without a gap or a double, in the order of time', async ({ as, settle }) => {
    await live(as('ada'), { settle });
    const whole = await list(as('ada'));

    for (const asked of [{}, { agent: 'heron' }]) {
      const paged: typeof whole = [];
      for (let cursor: string | undefined; ; ) {
        const page = await listAudit(as('ada'), { ...asked, page_size: 4, cursor });
        paged.push(...page.entries);
        cursor = page.next_cursor;
        if (cursor === undefined) break;
        expect(page.entries).toHaveLength(4);
      }
      expect(paged).toEqual(await list(as('ada'), asked));
    }
    const times = whole.map(({ at }) => Date.parse(at));
    expect(times).toEqual(times.toSorted((one, other) => other - one));
    expect(new Set(whole.map(({ id }) => id)).size).toBe(whole.length);
  });

  test('goes back thirty days, and the log further', async ({ as, settle, clock }) => {
    await live(as('ada'), { settle });
    const entered = (await list(as('ada'))).length;

    await clock.advance({ seconds: 30 * 86_400 - 60 });
    expect(await list(as('ada'))).toHaveLength(entered);
    await clock.advance({ seconds: 120 });
    expect(await list(as('ada'))).toEqual([]);

    expect(await call(as('ada'), 'list_events', { types: ['command.'], project: '*', page_size: 100 })).toMatchObject({
      events: expect.arrayContaining([expect.objectContaining({ type: 'command.sent' })]),
    });
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('is what it was after a replay', async ({ as, settle }) => {
    await live(as('ada'), { settle });
    const before = await list(as('ada'));

    await replay(person(as('ada')));

    expect(await list(as('ada'))).toEqual(before);
  });

  test('is the view audit_logs, to the row', async ({ as, settle, sql, people: { owner } }) => {
    await live(as('ada'), { settle });

    await asRole(sql, { role: 'authenticated', user: owner.user_id }, async (query) => {
      const { rows } = await query(
        'select id, event_type as kind from public.audit_logs order by created_at desc, id desc',
      );
      expect(rows).toEqual((await list(as('ada'))).map(({ id, kind }) => ({ id, kind })));
    });
  });
});
