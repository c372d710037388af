import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import type { Actor } from '../../src/db/database.ts';
import { postgresDatabase } from '../../src/db/postgres.ts';
import { supabaseDatabase } from '../../src/db/supabase/database.ts';
import type { Session } from '../../src/db/supabase/session.ts';
import { ask } from './ask.ts';
import type { Caller } from './commands.ts';
import { databaseUrl } from './database-url.ts';
import { PUBLISHABLE_KEY, SECRET_KEY, startSupabase } from './supabase.ts';

/** The engines of the scenarios: the database of this run, reached as each engine reaches it. */
export const ENGINES = ['embedded', 'postgres', 'supabase', 'supabase-server'] as const;
export type EngineName = (typeof ENGINES)[number];

export type Engine = {
  name: EngineName;
  /** A new user, with a personal workspace. */
  signIn(name: string): Promise<Person>;
  /** Opens another connection of that user, to close after use. */
  connect(caller: Caller): Caller;
  close(): Promise<void>;
};

export type Person = Caller & { actor: Actor & Required<Pick<Actor, 'user_id' | 'tenant_id'>> };

/** CAIRN_TEST_ENGINE names the engine on which the suites of the contract run. */
export function engineOfRun(): EngineName {
  const name = process.env.CAIRN_TEST_ENGINE ?? 'embedded';
  const engine = ENGINES.find((each) => each === name);
  if (engine === undefined) throw new Error(`CAIRN_TEST_ENGINE is none of ${ENGINES.join(', ')}.`);
  return engine;
}

/** The schema must be there. */
export function openTestEngine(name: EngineName, connection: pg.ClientConfig = inject('server')): Promise<Engine> {
  switch (name) {
    case 'embedded':
      return overPostgres(name, connection);
    case 'postgres':
      return loginRole(connection).then((login) => overPostgres(name, login));
    default:
      return overSupabase(name, connection);
  }
}

async function overPostgres(name: EngineName, connection: pg.ClientConfig): Promise<Engine> {
  const db = postgresDatabase({ connection });
  return {
    name,
    signIn: (who) => signIn(db, who),
    connect: ({ actor }) => ({ db: postgresDatabase({ connection, connectionsMax: 1 }), actor }),
    close: () => db.close(),
  };
}

/** Creates the role of docs/security.md, which may act for users and is bound by the policies. */
async function loginRole(connection: pg.ClientConfig): Promise<pg.ClientConfig> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock(7226913007)');
    const { rowCount } = await client.query(`select from pg_roles where rolname = 'cairn_test_login'`);
    if (rowCount === 0) await client.query('create role cairn_test_login login in role cairn_server');
    await client.query('commit');
  } finally {
    await client.end();
  }
  return { connectionString: databaseUrl({ ...connection, user: 'cairn_test_login' }) };
}

async function overSupabase(name: EngineName, connection: pg.ClientConfig): Promise<Engine> {
  const project = await startSupabase(connection);
  const server = supabaseDatabase({ project: { url: project.url, key: SECRET_KEY } });
  return {
    name,
    async signIn(who) {
      if (name === 'supabase-server') return signIn(server, who);
      const { access_token, user } = await project.auth.signIn(`${who}-${randomUUID()}@cairn.test`);
      const session: Session = { user_id: user.id, accessToken: async () => access_token, renew: async () => {} };
      const db = supabaseDatabase({ project: { url: project.url, key: PUBLISHABLE_KEY }, session });
      await db.call('list_projects', {}, { user_id: user.id });
      return { db, actor: { user_id: user.id, tenant_id: user.id } };
    },
    // Each request runs on a connection of its own as it is.
    connect: (caller) => caller,
    close: () => project.close(),
  };
}

/** Signs a person in through the server's role, which the database trusts. */
export async function signIn(db: Caller['db'], name: string): Promise<Person> {
  const identity = { issuer: 'test', subject: `${name}-${randomUUID()}`, name };
  const nobody = { user_id: '00000000-0000-0000-0000-000000000000' };
  const { user_id, tenant_id } = await ask<{ user_id: string; tenant_id: string }>({ db, actor: nobody }, 'sign_in', {
    identity,
  });
  return { db, actor: { user_id, tenant_id } };
}
