import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { newId } from '../../src/events/ids.ts';
import { asRole } from '../support/as-role.ts';
import { kindsOf, list, live, test } from '../support/audit.ts';
import { callerOf } from '../support/callers.ts';
import { call, person } from '../support/calls.ts';
import { runnerOf } from '../support/runners.ts';

describe('an agent on the audit trail', () => {
  const deeds = async (ctx: Context) =>
    (await list(ctx, { agent: 'heron' }))
      .filter(({ kind }) => kind.startsWith('agent_'))
      .map(({ kind, details = {} }) => [kind, details['reason']].filter(Boolean).join(' '))
      .toReversed();

  test('that beats enters nothing, however long', async ({ as, clock }) => {
    const runner = await runnerOf(as('ada'), 'heron');
    for (let n = 0; n < 5; n += 1) {
      await clock.advance({ seconds: 10 });
      await runner.beat();
    }

    expect(await deeds(as('ada'))).toEqual(['agent_connect']);
  });

  test('that missed its beats is gone when the job notices, and there when it beats again', async ({
    as,
    clock,
    settle,
  }) => {
    const runner = await runnerOf(as('ada'), 'heron');
    await settle();
    await clock.advance({ seconds: 700 });
    await settle();
    await settle();
    expect(await deeds(as('ada'))).toEqual(['agent_connect', 'agent_disconnect lost']);

    await runner.beat();
    await runner.beat({ leaving: true });
    await clock.advance({ seconds: 700 });
    await settle();
    await settle();

    expect(await deeds(as('ada'))).toEqual([
      ...['agent_connect', 'agent_disconnect lost', 'agent_connect', 'agent_disconnect goodbye'],
    ]);
  });

  test('whose next runner comes before the job was lost before it', async ({ as, clock }) => {
    await runnerOf(as('ada'), 'heron');
    await clock.advance({ seconds: 50 });
    await runnerOf(as('ada'), 'heron');

    expect(await deeds(as('ada'))).toEqual(['agent_connect', 'agent_disconnect lost', 'agent_connect']);
  });

  test('that is retired is gone', async ({ as }) => {
    await runnerOf(as('ada'), 'heron');
    await call(as('ada'), 'change_agent', { agent: 'heron', change: 'retire' });

    expect(await deeds(as('ada'))).toEqual(['agent_connect', 'agent_disconnect retired']);
  });

  test('without a runner is there while it speaks, and silent after a quarter of an hour', async ({ as, clock }) => {
    const hook = callerOf(as('heron'));
    await hook.begin();
    await hook.border();
    await clock.advance({ seconds: 901 });
    await hook.border();

    expect(await deeds(as('ada'))).toEqual(['agent_connect', 'agent_disconnect silent', 'agent_connect']);
  });

  test('has the address that the server saw, and none that a caller says', async ({ as, sql, people: { owner } }) => {
    const from = (name: string, ip: string) => ({ ...as(name), actor: { ...as(name).actor, ip } });
    await callerOf(from('heron', '192.0.2.9')).begin();
    await asRole(sql, { role: 'authenticated', user: owner.user_id }, async (query) => {
      const agent = { name: 'egret', type: 'claude', driver: 'hook' };
      const spoofed = `with called as materialized (select public.call_in($1, '{"takes": "nothing"}', $2))
        select public.list_audit(agent => 'egret') -> 'entries' as entries from called`;
      const { rows } = await query(spoofed, [agent, { agent: 'egret', ip: '192.0.2.66' }]);
      expect(rows[0].entries).not.toHaveProperty('0.ip');
    });

    expect(await list(as('ada'), { agent: 'heron' })).toMatchObject([{ ip: '192.0.2.9' }]);
  });
});

describe('who sees the audit trail', () => {
  test('a member sees the log, and of sign-ins, addresses and agents that come and go its own alone', async ({
    as,
    member,
    settle,
    sql,
    people: { stranger },
  }) => {
    await live(as('ada'), { settle });
    await callerOf({ ...member, actor: { ...member.actor, agent: 'eve' } }).begin();
    const beside = ['agent_connect', 'agent_disconnect', 'preset_used', 'user_login', 'user_logout'];
    const all = await kindsOf(as('ada'));
    const seen = await kindsOf(member);

    expect(seen.filter((kind) => beside.includes(kind))).toEqual(['agent_connect']);
    expect(seen.filter((kind) => kind.startsWith('command_'))).toEqual(
      all.filter((kind) => kind.startsWith('command_')),
    );
    expect((await list(member)).filter(({ ip }) => ip !== undefined)).toEqual([]);
    await asRole(sql, { role: 'authenticated', user: stranger.user_id }, async (query) => {
      const rows = (from: string) => query(`select * from ${from} where tenant_id = $1`, [as('ada').actor.tenant_id]);
      const inView = (await rows('public.audit_logs')).rows.map((row) => row.event_type);
      expect(inView.toSorted()).toEqual(seen.toSorted());
      expect((await rows('public.audit_entries')).rowCount).toBe(1);
    });
  });

  test('an admin sees all, a stranger nothing, and a token of one project is refused', async ({
    as,
    asStranger,
    settle,
    member,
    sql,
  }) => {
    await live(as('ada'), { settle });
    const all = await list(as('ada'));
    await sql.query(`update public.memberships set role = 'admin' where tenant_id = $1 and user_id = $2`, [
      as('ada').actor.tenant_id,
      member.actor.user_id,
    ]);

    expect(await list(member)).toEqual(all);
    expect(await list(asStranger('eve'))).toEqual([]);
    const project_id = newId();
    const limited = { ...as('ada'), actor: { ...as('ada').actor, project_id } };
    await expect(list(limited)).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('nobody writes or erases an entry, nor imports one', async ({ as, sql, people: { owner } }) => {
    await runnerOf(as('ada'), 'heron');
    const [entry] = await list(as('ada'));

    for (const role of ['authenticated', 'service_role', 'cairn_server', 'cairn_owner', 'cairn_keeper']) {
      await asRole(sql, { role, user: owner.user_id }, async (query) => {
        for (const statement of [
          'delete from public.audit_entries',
          `update public.audit_entries set details = '{}'`,
          'truncate public.audit_entries',
        ]) {
          await expect(query(statement), `${role}: ${statement}`).rejects.toMatchObject({ code: '42501' });
        }
      });
    }
    const { db, actor } = person(as('ada'));
    const forged = JSON.stringify({ id: newId(), event_type: 'agent_connect', details: {}, created_at: entry?.at });
    const imported = db.call('import_records', { table_name: 'audit_entries', records: [forged] }, actor);
    await expect(imported).rejects.toMatchObject({ code: 'not_found' });
    expect(JSON.stringify(await db.call('list_record_parts', {}, actor))).not.toContain('audit_entries');
    expect(await list(as('ada'))).toEqual([entry]);
  });
});
