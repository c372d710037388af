import { describe, expect } from 'vitest';
import type { FunctionName } from '../../src/db/functions.ts';
import { newId } from '../../src/events/ids.ts';
import { ask } from '../support/ask.ts';
import type { Refs } from '../support/categories.ts';
import { append, type Caller, claim, createProject, createTask, hold, record, verify } from '../support/commands.ts';
import { expectNothingForeign, liveElsewhere, settle } from '../support/foreign.ts';
import { test } from '../support/world.ts';

const NEW_PROJECT = { slug: 'late', name: 'Late' };

describe('with a token that is limited to a project', () => {
  /** Beside another project in which everything happened, one's own; and who is limited to it. */
  async function limit(as: (agent: string) => Caller): Promise<{ own: Caller; ids: Refs; shorts: Refs }> {
    const { db, actor } = as('ada');
    await settle(as('ada'));
    const { project } = await ask<{ project: { id: string } }>({ db, actor }, 'get_project', { project: 'own' });
    return { ...(await liveElsewhere(as('eve'))), own: { db, actor: { ...actor, project_id: project.id } } };
  }

  test('another one is as if it were not there, whatever one calls and however one names it', async ({ as }) => {
    const { own, ids, shorts } = await limit(as);

    const calls = await expectNothingForeign(own, ids, ids);
    await expectNothingForeign(own, shorts, ids);

    expect(calls).toBeGreaterThan(45);
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('one works in the project, which is meant where none is named', async ({ as }) => {
    const { own } = await limit(as);

    await createTask(own, { dependencies: ['own-1'] });
    await createTask(own);
    expect(await claim(own)).toMatchObject({ task: { ref: 'own-3' } });
    const token = { lock_token: await hold(own, 'own-1', { take_over: true }) };
    const done = { summary: 'Done.', evidence: [{ criterion: 1, note: 'Seen.' }] };
    await record(own, { stream: 'task:own-1', type: 'task.completed', data: done, expect: token });

    expect(await claim(own)).toMatchObject({ task: { ref: 'own-2' } });
    const { ref } = await createTask(as('ada'), { project: 'own', discovered_from: 'zoo-1' });
    expect(await own.db.call('get_task', { task: ref }, own.actor)).not.toHaveProperty('discovered_from');
    expect(await verify(as('ada'))).toMatchObject({ ok: true });
  });

  test('what concerns more than the project is forbidden, and says why', async ({ as }) => {
    const { own } = await limit(as);
    const { events } = await ask<{ events: { id: string }[] }>(own, 'list_events', {});
    const more: [FunctionName, object][] = [
      ['append_events', { events: [{ stream: `project:${newId()}`, type: 'project.created', data: NEW_PROJECT }] }],
      ...(
        ['verify_events', 'replay_events', 'export_events', 'list_record_parts', 'purge_idempotency_keys'] as const
      ).map((fn): [FunctionName, object] => [fn, {}]),
      ['import_events', { events: [{}] }],
      ['import_records', { table_name: 'herons', records: [{}] }],
      ['read_records', { table_name: 'herons', starts_at: '2026-01-01T00:00:00Z' }],
      ['redact_event', { event: events[0]?.id, reason: 'x' }],
    ];

    for (const [fn, args] of more) {
      await expect(own.db.call(fn, { ...args }, own.actor), fn).rejects.toMatchObject({
        code: 'forbidden',
        message: 'This token is limited to the project own.',
        hint: expect.stringContaining('without --project'),
      });
    }
    const exported = await ask<{ events: object[] }>(own, 'export_events', { project: 'own' });
    expect(exported.events).toHaveLength(3);
  });

  test('no answer is had that a key got beyond the project', async ({ as }) => {
    const { own } = await limit(as);
    const note = [{ stream: 'project:zoo', type: 'project.noted', data: { text: 'Hello.', kind: 'note' } }];
    await append(as('ada'), note, { key: 'same', fingerprint: 'same' });

    const again = append(own, note, { key: 'same', fingerprint: 'same' });

    await expect(again).rejects.toMatchObject({ code: 'not_found' });
  });

  test.for([['that is gone', newId()] as const, ['that is none', 'no uuid'] as const])(
    'a project %s is no project',
    async ([, project_id], { as }) => {
      await createProject(as('ada'));
      const nowhere = { ...as('ada'), actor: { ...as('ada').actor, project_id } };

      expect(await nowhere.db.call('list_projects', {}, nowhere.actor)).toEqual({ projects: [] });
      await expect(createTask(nowhere)).rejects.toMatchObject({ code: 'not_found' });
      await expect(createProject(nowhere, NEW_PROJECT)).rejects.toMatchObject({ code: 'forbidden' });
    },
  );

  test('nothing of the limit is left for a later call of the transaction', async ({ as, sql }) => {
    const { own } = await limit(as);
    const list = (n: number) => `jsonb_array_length(public.list_projects(actor => $${n}) -> 'projects')`;

    const { rows } = await sql.query(`select ${list(1)} as limited, ${list(2)} as whole`, [own.actor, as('ada').actor]);

    expect(rows).toEqual([{ limited: 1, whole: 2 }]);
  });

  test('the owner of the functions sees rows of the project alone, in every table that has some', async ({
    as,
    sql,
  }) => {
    const { own, ids } = await limit(as);
    const { rows: tables } = await sql.query<{ name: string; project: string }>(
      `select a.attrelid::regclass::text as name, a.attname as project from pg_attribute a join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p') and not c.relispartition
        where c.relnamespace::regnamespace::text in ('app', 'public') and c.relname <> 'oauth_tokens' and not a.attisdropped
          and a.attname = case c.relname when 'projects' then 'id' else 'project_id' end`,
    );
    const client = await sql.connect();
    const seen = async (name: string, project: string) =>
      (await client.query(`select distinct ${project} as id from ${name} order by 1`)).rows.map(({ id }) => id);
    const setting = `select set_config('app.tenant_id', $1, true), set_config('app.project_id', $2, true)`;

    expect(tables.length).toBeGreaterThan(10);
    try {
      await client.query('begin');
      const unowned = `insert into app.archived_chains (tenant_id, hash) values ($1, '')`;
      await client.query(unowned, [own.actor.tenant_id]);
      await client.query('set local role cairn_owner');
      for (const { name, project } of tables) {
        await client.query(setting, [own.actor.tenant_id, '']);
        const whole = await seen(name, project);
        await client.query(setting, [own.actor.tenant_id, own.actor.project_id]);
        expect([name, await seen(name, project)]).toEqual([name, whole.filter((id) => id === own.actor.project_id)]);
        // Nothing of it was archived, and no messages were reported.
        const isEmpty = /^app\.archived_|agent_messages$/.test(name);
        expect([name, whole.includes(ids.project)]).toEqual([name, !isEmpty]);
      }
    } finally {
      await client.query('rollback');
      client.release();
    }
  });
});
