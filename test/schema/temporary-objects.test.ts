import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

let scratch: Scratch;
const MEMBERS_OF = ['authenticated', 'cairn_server'];
// Roles are of the whole server, which other runs may use too.
const suffix = randomUUID().slice(0, 8);
const login = (member: string) => `login_of_${member}_${suffix}`;

beforeAll(async () => {
  scratch = await createScratch();
  for (const member of MEMBERS_OF) {
    await scratch.sql.query(`create role ${login(member)} login in role ${member}`);
  }
});
afterAll(async () => {
  for (const member of MEMBERS_OF) {
    await scratch.sql.query(`drop owned by ${login(member)}; drop role ${login(member)}`);
  }
  await scratch.drop();
});

async function connectAs(member: string): Promise<pg.Client> {
  const client = new pg.Client({ ...scratch.connection, user: login(member) });
  await client.connect();
  return client;
}

/** Puts a domain in the place of each type of PostgreSQL, whose check tells as whom it runs. */
const PLANT = `
  create function pg_temp.spy() returns pg_catalog.bool language plpgsql as $spy$
  begin
    if current_user <> session_user and current_user <> 'authenticated' then raise notice 'ran as %', current_user; end if;
    return true;
  end $spy$;
  do $$
  declare
    v_type pg_catalog.pg_type;
  begin
    for v_type in select * from pg_catalog.pg_type t
        where t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace and t.typtype = 'b' and t.typelem = 0 loop
      execute pg_catalog.format('create domain pg_temp.%I as pg_catalog.%1$I check (pg_temp.spy())', v_type.typname);
    end loop;
  end $$`;

/**
 * Returns the objects that ran as another role while a member of a role plants types and calls everything that it may.
 */
async function plantedBy(member: string): Promise<string[]> {
  await scratch.sql.query(`grant temporary on database ${scratch.connection.database} to ${login(member)}`);
  const client = await connectAs(member);
  const heard = new Set<string>();
  client.on('notice', ({ message = '' }) => heard.add(message));
  try {
    await client.query(PLANT);
    const user = randomUUID();
    if (member === 'authenticated') {
      await client.query(`select set_config('request.jwt.claims', $1, false)`, [JSON.stringify({ sub: user })]);
    }
    const { rows } = await client.query<{ name: string }>(
      `select p.proname as name from pg_catalog.pg_proc p where p.pronamespace = 'public'::pg_catalog.regnamespace
         and p.prosecdef and pg_catalog.has_function_privilege(p.oid, 'execute')`,
    );
    const actor = `actor => '${JSON.stringify({ user_id: user })}'`;
    const events = [
      { stream: `project:${newId()}`, type: 'project.created', data: { slug: 'web', name: 'Web' } },
      { stream: `task:${newId()}`, type: 'task.created', data: { project: 'web', title: 'Paint the pelican' } },
    ];
    for (const event of events) {
      await client.query(`select public.append_events(events => '${JSON.stringify([event])}', ${actor})`);
    }
    await client.query(`select public.claim_task(task => 'web-1', ${actor})`);
    for (const { name } of rows) await client.query(`select public.${name}(${actor})`).catch(() => {});
    expect(rows.length).toBeGreaterThan(20);
  } finally {
    await client.end();
  }
  return [...heard];
}

describe('a type that a session plants among its temporary objects', () => {
  test.each(MEMBERS_OF)('runs nothing as the owner of our functions, for a member of %s', async (member) => {
    expect(await plantedBy(member)).toEqual([]);
  });

  test('would run as the owner if names were looked for there first, so the test of it can fail', async () => {
    await scratch.sql.query(`
      do $$
      declare
        v_name text;
      begin
        for v_name in select p.oid::regprocedure from pg_proc p
            where p.pronamespace = 'public'::regnamespace and p.proconfig @> array['search_path=pg_catalog, pg_temp'] loop
          execute format('alter function %s set search_path = ''''', v_name);
        end loop;
      end $$`);

    expect(await plantedBy('authenticated')).toContain('ran as cairn_owner');
  });

  test('cannot be planted by who was not allowed to make temporary objects', async () => {
    await scratch.sql.query(
      `revoke temporary on database ${scratch.connection.database} from ${login('cairn_server')}`,
    );
    const client = await connectAs('cairn_server');

    const attempt = client.query('create temporary table planted (id int)').finally(() => client.end());

    await expect(attempt).rejects.toMatchObject({ code: '42501' });
  });
});
