import type pg from 'pg';
import { describe, expect } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { ask } from '../support/ask.ts';
import { type Caller, createProject, type Exported, exportAll, importAll } from '../support/commands.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { forge } from '../support/forge.ts';
import { test } from '../support/world.ts';

// Whom a workspace knows by name, and whom it does not.

type User = { id: string; name: string };

async function exportedUsers({ db, actor }: Caller): Promise<User[]> {
  return (await ask<{ users: User[] }>({ db, actor }, 'export_events', {})).users;
}

/** A project that somebody else is said to have made. */
async function projectBy(sql: pg.Pool, user: string | undefined): Promise<Exported[]> {
  const id = newId();
  const event = {
    ...{ seq: 1, id: newId(), project_id: id, user_id: user, event_type: 'project.created', stream: `project:${id}` },
    ...{ payload: { slug: 'probe', name: 'Probe' }, version: 1, actor: { user }, schema_version: 1 },
    created_at: '2026-01-01T00:00:00+00:00',
  };
  return forge(sql, [event as unknown as Exported]);
}

async function join(sql: pg.Pool, tenant: string | undefined, user: string | undefined): Promise<void> {
  await sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'member')`, [
    tenant,
    user,
  ]);
}

describe('a user of another workspace', () => {
  test('has no name here, though an import says that it acted here', async ({ asStranger, people, sql }) => {
    await importAll(asStranger('eve'), await projectBy(sql, people.owner.user_id));

    expect(await exportedUsers(asStranger('eve'))).toEqual([]);
    const { rows } = await sql.query('select name from public.users where id = $1', [people.owner.user_id]);
    expect(rows[0].name).not.toBe('imported');
  });

  test('is called here as the import called it, and nowhere else', async ({ as, asStranger, people, sql }) => {
    await createProject(as('ada'));
    const users = [{ id: people.owner.user_id, name: 'Somebody' }];
    const events = await projectBy(sql, people.owner.user_id);

    await asStranger('eve').db.call('import_events', { events, users }, asStranger('eve').actor);

    expect(await exportedUsers(asStranger('eve'))).toEqual(users);
    expect(await exportedUsers(as('ada'))).not.toEqual(users);
    expect(await exportedUsers(as('ada'))).toHaveLength(1);
  });

  test('is named to nobody elsewhere in what belongs to no workspace, and there to its own', async ({
    as,
    asStranger,
    people,
    sql,
  }) => {
    await createProject(as('ada'));
    await sql.query(
      `insert into app.auth_events (tenant_id, at, type, user_id, data)
         values (app.get_nil_id(), now(), 'login.failed', $1, '{}')`,
      [people.owner.user_id],
    );
    const chosen = { unowned: true, user_id: people.owner.user_id };
    const list = async ({ db }: Caller, actor: Caller['actor']) =>
      (await ask<{ events: object[] }>({ db, actor }, 'list_auth_events', { chosen })).events;

    expect(await list(as('ada'), people.owner)).toMatchObject([{ user_id: people.owner.user_id, user: 'owner' }]);
    expect(await list(asStranger('eve'), people.stranger)).toEqual([
      expect.not.objectContaining({ user: expect.anything() }),
    ]);
  });

  test('is not told from one that does not exist', async ({ asStranger, people, sql }) => {
    const answer = async (user: string | undefined) => {
      const { position, ...rest } = await importAll(asStranger('eve'), await projectBy(sql, user)).catch((error) => ({
        ...error,
        message: error.message,
      }));
      return rest;
    };

    expect(await answer(people.owner.user_id)).toEqual({ imported: 1, skipped: 0, left_out: 0, cleaned: 0 });
    expect(await answer(newId())).toMatchObject({ code: 'already_exists' });
    expect(await answer(people.owner.user_id)).toMatchObject({ code: 'already_exists' });
    expect(await exportedUsers(asStranger('eve'))).toEqual([]);
  });

  test('is not seen by the functions’ owner, whatever they forget to ask', async ({ people, sql }) => {
    const client = await sql.connect();
    try {
      await client.query('begin; set local role cairn_owner');
      await client.query(`select set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true)`, [
        people.owner.tenant_id,
        people.owner.user_id,
      ]);

      const { rows } = await client.query('select id from public.users');

      expect(rows).toEqual([{ id: people.owner.user_id }]);
    } finally {
      await client.query('rollback');
      client.release();
    }
  });
});

describe('a member', () => {
  test('is called as everywhere, whatever an import says, and keeps the name when it leaves', async ({
    as,
    asStranger,
    people,
    sql,
  }) => {
    const { tenant_id } = people.owner;
    await fillWorkspace(asStranger('eve'));
    const [eve] = await exportedUsers(asStranger('eve'));
    const users = [{ id: eve?.id, name: 'Mallory' }];
    const events = await exportAll(asStranger('eve'));
    await as('ada').db.call('import_events', { events, users }, as('ada').actor);
    const namesHere = async () => (await exportedUsers(as('ada'))).map(({ name }) => name);
    expect(await namesHere()).toEqual(['Mallory']);

    await join(sql, tenant_id, people.stranger.user_id);

    expect(await namesHere()).toEqual([eve?.name]);
    const leave = 'delete from public.memberships where tenant_id = $1 and user_id = $2';
    await sql.query(leave, [tenant_id, people.stranger.user_id]);
    expect(await namesHere()).toEqual([eve?.name]);
    expect(await exportedUsers(asStranger('eve'))).toEqual([eve]);
  });
});
