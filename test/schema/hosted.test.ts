import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findBinaries } from '../../src/db/embedded/binaries.ts';
import { ensureServer, stopServer } from '../../src/db/embedded/shared-server.ts';
import { migrate } from '../../src/db/schema/migrate.ts';
import { createLog } from '../../src/log.ts';
import { verify } from '../support/commands.ts';
import { openTestEngine } from '../support/engine.ts';
import { expectNothingForeign, liveElsewhere, settle } from '../support/foreign.ts';
import { HERONS } from '../support/herons.ts';

// A hosted Supabase project before our migrations: its roles, its migrator (not a superuser), and its default
// privileges, which give signed-in users everything on each new table. On a separate server, because all databases
// share the roles.
const ROLES = `
  create role postgres login createdb createrole bypassrls;
  create role anon nologin noinherit;
  create role authenticated nologin noinherit;
  create role service_role nologin noinherit bypassrls;
  create role authenticator login noinherit;
  create role supabase_auth_admin nologin noinherit;
  grant anon, authenticated, service_role to authenticator;
  grant anon, authenticated, service_role to postgres with admin option;`;
const PROJECT = `
  grant usage on schema public to anon, authenticated, service_role;
  grant all on schema public to postgres;
  alter default privileges for role postgres in schema public grant all on tables to anon, authenticated, service_role;
  alter default privileges for role postgres in schema public grant all on functions to anon, authenticated, service_role;
  alter default privileges for role postgres in schema public grant all on sequences to anon, authenticated, service_role;
  create schema auth authorization supabase_auth_admin;
  grant usage on schema auth to anon, authenticated, service_role, postgres;
  create function auth.uid() returns uuid language sql stable as $$
    select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
      (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid $$;
  alter function auth.uid() owner to supabase_auth_admin;`;
// Other objects of a shared schema, some with our column names.
const SHOP = `
  create role shop;
  create table public.orders (id integer primary key, user_id uuid, project_id uuid, status text, type text);
  alter table public.orders owner to shop;`;

let dataDir: string;
let stop: () => Promise<void>;
let superuser: pg.ClientConfig;
let sql: pg.Client;
let applied: string[];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cairn-hosted-'));
  if (process.getuid?.() === 0) await chmod(dataDir, 0o755);
  const major = process.env.CAIRN_TEST_PG;
  const binaries = await findBinaries(
    major === undefined
      ? undefined
      : fileURLToPath(new URL(`../support/postgres-${major}/package.json`, import.meta.url)),
  );
  const server = await ensureServer({ dataDir, log: createLog('silent'), binaries });
  stop = async () => {
    await server.release();
    await stopServer({ dataDir, binaries });
  };
  await as(server.connection, async (client) => {
    await client.query(ROLES);
    await client.query('create database hosted owner postgres');
  });
  superuser = { ...server.connection, database: 'hosted' };
  await as(superuser, (client) => client.query(PROJECT + SHOP));
  applied = await as({ ...superuser, user: 'postgres' }, (client) => migrate(client));
  sql = new pg.Client(superuser);
  await sql.connect();
}, 120_000);

afterAll(async () => {
  await sql?.end();
  await stop?.();
  await rm(dataDir, { recursive: true, force: true });
});

async function as<T>(connection: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

describe('a hosted Supabase project', () => {
  test('is migrated by its own migrator, who is no superuser, and a second time nothing is left to do', async () => {
    const again = await as({ ...superuser, user: 'postgres' }, (client) => migrate(client));

    expect(applied.length).toBeGreaterThan(10);
    expect(again).toEqual([]);
  });

  test('leaves the tables of others alone', async () => {
    const { rows } = await sql.query(
      `select s.staattnum from pg_statistic s where s.starelid = 'public.orders'::regclass`,
    );

    expect(rows).toEqual([]);
  });

  test('leaves to its users none of what its default privileges gave them', async () => {
    const { rows } = await sql.query(
      `select c.relname, a.grantee::regrole::text as role, a.privilege_type as privilege from pg_class c, aclexplode(c.relacl) a
        where c.relnamespace = 'public'::regnamespace and a.grantee::regrole::text in ('anon', 'authenticated', 'service_role')
          and not (a.grantee::regrole::text = 'authenticated' and a.privilege_type = 'SELECT')
       union all select p.proname, a.grantee::regrole::text, 'EXECUTE' from pg_proc p, aclexplode(p.proacl) a
        where p.pronamespace = 'public'::regnamespace and p.prorettype <> 'trigger'::regtype and (a.grantee = 0 or a.grantee = 'anon'::regrole)`,
    );

    expect(rows).toEqual([]);
  });

  test('makes and drops the partitions of records, as its migrator', async () => {
    await as({ ...superuser, user: 'postgres' }, (client) => client.query(HERONS));

    await sql.query('set role cairn_owner');
    // Those of other tables of records are made and dropped, too.
    const { rows: made } = await sql.query(`select unnest(app.make_partitions(now() - interval '100 days')) as name`);
    const dropped: unknown[] = [];
    for (let left = made.length; left > 0; left -= 1) {
      dropped.push((await sql.query(`select app.drop_partition() ->> 'name' as name`)).rows[0].name);
    }
    await sql.query('reset role');
    const [herons] = made.filter(({ name }) => /^herons_\d{8}$/.test(name)).sort();
    expect(dropped).toContain(herons?.name);
    const { rows: granted } = await sql.query(
      `select distinct c.relname, a.grantee::regrole::text as role, a.privilege_type as privilege
       from pg_class c, aclexplode(c.relacl) a
       where c.relname like 'herons%' and c.relkind in ('r', 'p') and a.grantee <> c.relowner
         and a.grantee::regrole::text not in ('cairn_keeper', 'cairn_owner')`,
    );
    expect(granted).toEqual([{ relname: 'herons', role: 'authenticated', privilege: 'SELECT' }]);
    await as({ ...superuser, user: 'postgres' }, (client) => client.query('drop table public.herons'));
    await as({ ...superuser, user: 'postgres' }, (client) =>
      client.query(`delete from app.record_tables where table_name = 'herons'`),
    );
  });

  test.for(['supabase', 'supabase-server'] as const)(
    'serves its users apart from each other, over %s',
    async (name) => {
      const engine = await openTestEngine(name, superuser);
      const agent = (who: Awaited<ReturnType<typeof engine.signIn>>) => ({
        ...who,
        actor: { ...who.actor, agent: 'ada' },
      });
      const [ada, eve] = [agent(await engine.signIn('ada')), agent(await engine.signIn('eve'))];

      const { ids, shorts } = await liveElsewhere(eve);
      await settle(ada);

      await expectNothingForeign(ada, ids, ids);
      await expectNothingForeign(ada, shorts, ids);
      expect(await verify(eve)).toMatchObject({ ok: true });
      await engine.close();
    },
  );
});
