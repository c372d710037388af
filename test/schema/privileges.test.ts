import { describe, expect } from 'vitest';
import { FUNCTIONS } from '../../src/db/functions.ts';
import { asRole } from '../support/as-role.ts';
import { createProject } from '../support/commands.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { relations } from '../support/relations.ts';
import { test } from '../support/world.ts';

describe('a signed-in user with plain SQL', () => {
  test('reads the rows of the own workspace and no other, in every table and view', async ({
    as,
    asStranger,
    sql,
    people,
  }) => {
    await fillWorkspace(as('ada'));
    await fillWorkspace(asStranger('eve'));
    const closed = ['oauth_tokens', 'system_config', 'system_config_history'];
    const readable = (await relations(sql, ['r', 'v'], ['public'])).filter(({ name }) => !closed.includes(name));

    await asRole(sql, { role: 'authenticated', user: people.owner.user_id }, async (query) => {
      for (const { name, tenant } of readable) {
        const seen = await query(`select * from ${name}`);
        expect([name, seen.rowCount]).not.toEqual([name, 0]);
        if (tenant === null) continue;
        const { rows } = await sql.query(`select count(*)::int from ${name} where tenant_id = $1`, [
          people.owner.tenant_id,
        ]);
        expect([name, new Set(seen.rows.map((row) => row.tenant_id))]).toEqual([
          name,
          new Set([people.owner.tenant_id]),
        ]);
        expect([name, seen.rowCount]).toEqual([name, rows[0].count]);
      }
      expect((await query('select id from public.users')).rows).toEqual([{ id: people.owner.user_id }]);
      expect((await query('select id from public.tenants')).rows).toEqual([{ id: people.owner.tenant_id }]);
      const progress = await query('select count(*)::int from public.task_progress');
      expect(progress.rows).toEqual([{ count: 4 }]);
    });
  });

  test.for(['authenticated', 'anon', 'service_role', 'cairn_server'])(
    'as %s writes to no table',
    async (role, { as, sql, people }) => {
      await fillWorkspace(as('ada'));
      const tables = await relations(sql, ['r'], ['public', 'app']);

      await asRole(sql, { role, user: people.owner.user_id }, async (query) => {
        for (const { name } of tables) {
          const column = (
            await sql.query(`select attname from pg_attribute where attrelid = $1::regclass and attnum = 1`, [name])
          ).rows[0].attname;
          for (const statement of [
            `insert into ${name} select * from ${name}`,
            `insert into ${name} default values`,
            `update ${name} set ${column} = null`,
            `delete from ${name}`,
            `truncate ${name}`,
          ]) {
            await expect(query(statement), statement).rejects.toMatchObject({ code: '42501' });
          }
        }
      });
    },
  );

  test.for(['anon', 'service_role', 'cairn_server'])('as %s reads no table', async (role, { sql, people }) => {
    const tables = await relations(sql, ['r', 'v'], ['public', 'app']);

    await asRole(sql, { role, user: people.owner.user_id }, async (query) => {
      for (const { name } of tables) {
        await expect(query(`select from ${name}`), name).rejects.toMatchObject({ code: '42501' });
      }
    });
  });

  test('as anon calls nothing', async ({ sql, people }) => {
    await asRole(sql, { role: 'anon', user: people.owner.user_id }, async (query) => {
      for (const fn of Object.keys(FUNCTIONS)) {
        const { rows } = await sql.query(
          `select oid::regprocedure::text as signature, pronargs as n from pg_proc where oid = $1::regproc`,
          [`public.${fn}`],
        );
        const types = rows[0].signature.replace(/^.*?\((.*)\)$/, '$1').split(',');
        const call = `select public.${fn}(${types.map((type: string) => `null::${type}`).join(', ')})`;
        await expect(query(call), fn).rejects.toMatchObject({ code: '42501' });
      }
    });
  });

  test('reads the own tokens, without their hashes', async ({ sql, people }) => {
    for (const { tenant_id, user_id } of [people.owner, people.stranger]) {
      await sql.query(
        `insert into public.oauth_tokens (tenant_id, id, user_id, kind, name, access_token, expires_at, resource, client_id)
         values ($1, gen_random_uuid(), $2, 'pat', 'ci', encode(sha256($2::uuid::text::bytea), 'hex'), now(), 'resource', 'client')`,
        [tenant_id, user_id],
      );
    }

    await asRole(sql, { role: 'authenticated', user: people.owner.user_id }, async (query) => {
      const { rows } = await query('select user_id, client_id from public.oauth_tokens');
      expect(rows).toEqual([{ user_id: people.owner.user_id, client_id: 'client' }]);
      for (const column of ['*', 'access_token', 'refresh_token', 'count(access_token)']) {
        await expect(query(`select ${column} from public.oauth_tokens`)).rejects.toMatchObject({ code: '42501' });
      }
      await expect(query(`select from public.oauth_tokens where access_token like 'a%'`)).rejects.toMatchObject({
        code: '42501',
      });
    });
  });

  test('acts as who the claims say, whatever the actor argument says', async ({ as, asStranger, sql, people }) => {
    await fillWorkspace(asStranger('eve'), 'zoo');
    await createProject(as('ada'));
    const note = [{ stream: 'project:web', type: 'project.noted', data: { text: 'Hello.', kind: 'note' } }];
    const call = `select public.append_events($1, '{}', $2) as answer`;

    await asRole(sql, { role: 'authenticated', user: people.owner.user_id }, async (query) => {
      const spoofed = await query(call, [JSON.stringify(note), { user_id: people.stranger.user_id }]);
      expect(spoofed.rows[0].answer.events).toMatchObject([{ seq: 2, state: { slug: 'web' } }]);
      const whole = [JSON.stringify(note), people.stranger];
      await expect(query(call, whole)).rejects.toMatchObject({ code: 'PT403' });
      await expect(query(`select public.sign_in('{"issuer": "a", "subject": "b"}')`)).rejects.toMatchObject({
        code: '42501',
      });
    });
    await asRole(sql, { role: 'authenticated', user: null }, async (query) => {
      await expect(query(call, [JSON.stringify(note), people.owner])).rejects.toMatchObject({ code: 'PT401' });
    });
  });

  test('gains nothing from settings that the door uses', async ({ as, asStranger, sql, people }) => {
    await createProject(as('ada'));
    await fillWorkspace(asStranger('eve'), 'zoo');
    const { user_id, tenant_id } = people.stranger;

    await asRole(sql, { role: 'authenticated', user: people.owner.user_id }, async (query) => {
      const settings = `select set_config('app.tenant_id', '${tenant_id}', true), set_config('app.user_id', '${user_id}', true)`;
      const { rows } = await query(
        `with s as materialized (${settings}) select p.slug, public.list_projects() as list from s, public.projects p`,
      );
      expect(rows.map(({ slug }) => slug)).toEqual(['web']);
      expect(rows[0].list.projects.map(({ slug }: { slug: string }) => slug)).toEqual(['web']);
    });
  });

  test('cannot become the owner of the functions', async ({ sql }) => {
    const client = await sql.connect();
    try {
      await client.query('set session authorization authenticated');
      for (const role of ['cairn_owner', 'cairn_keeper', 'cairn_server', 'service_role']) {
        await expect(client.query(`set role ${role}`)).rejects.toMatchObject({ code: '42501' });
      }
      await expect(client.query('select app.now()')).rejects.toMatchObject({ code: '42501' });
      await expect(client.query('create table public.mine (id int)')).rejects.toMatchObject({ code: '42501' });
    } finally {
      await client.query('reset session authorization');
      client.release();
    }
  });
});
