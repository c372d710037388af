import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { test as base, inject } from 'vitest';
import { type Context, SCOPES } from '../../src/context.ts';
import type { Actor, Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { postgresDatabase } from '../../src/db/postgres.ts';
import { createLog } from '../../src/log.ts';

type Engine = { db: Database; sql: pg.Pool };

type World = {
  engine: Engine;
  /** The port, over the database that all tests share. */
  db: Database;
  /** Plain SQL as the superuser: for looking at rows, never for making them. */
  sql: pg.Pool;
  people: { owner: Actor; stranger: Actor };
  /** An agent of this test's user, in this test's workspace. */
  as: (agent: string) => Context;
  /** An agent of another user, in another workspace. */
  asStranger: (agent: string) => Context;
  /** The time of this test's workspace. */
  clock: { advance(by: { seconds: number }): Promise<void> };
};

// The clock of the tests' build of the schema: each workspace may be ahead of the real time.
const FAKE_CLOCK = `
  create table if not exists app.test_clock (tenant_id uuid primary key, ahead interval not null);
  grant select on app.test_clock to public;
  create or replace function app.now() returns timestamptz language sql volatile as $$
    select clock_timestamp() + coalesce(
      (select test_clock.ahead from app.test_clock
        where test_clock.tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid), interval '0')
  $$;`;
const FAKE_CLOCK_LOCK = 7_226_913_005;

/** Migrates the run's database, whoever comes first, and puts the fake clock in. */
async function openEngine(): Promise<Engine> {
  const sql = new pg.Pool({ ...inject('server'), max: 2 });
  const client = new pg.Client(inject('server'));
  await client.connect();
  try {
    await migrate(client);
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1)', [FAKE_CLOCK_LOCK]);
    await client.query(FAKE_CLOCK);
    await client.query('commit');
  } finally {
    await client.end();
  }
  return { db: postgresDatabase({ connection: inject('server') }), sql };
}

export async function signIn(db: Database, name: string): Promise<Actor> {
  const identity = { issuer: 'test', subject: `${name}-${randomUUID()}`, name };
  const nobody = { user_id: '00000000-0000-0000-0000-000000000000' };
  const { user_id, tenant_id } = await db.call<{ user_id: string; tenant_id: string }>('sign_in', { identity }, nobody);
  return { user_id, tenant_id };
}

const log = createLog('silent');
const scopes = new Set(SCOPES);

export const test = base.extend<World>({
  engine: [
    // biome-ignore lint/correctness/noEmptyPattern: Vitest reads a fixture's dependencies from this pattern.
    async ({}, use) => {
      const engine = await openEngine();
      await use(engine);
      await engine.db.close();
      await engine.sql.end();
    },
    { scope: 'worker' },
  ],
  db: async ({ engine }, use) => use(engine.db),
  sql: async ({ engine }, use) => use(engine.sql),
  people: async ({ db }, use) => use({ owner: await signIn(db, 'owner'), stranger: await signIn(db, 'stranger') }),
  as: async ({ db, people }, use) =>
    use((agent) => ({ db, log, scopes, actor: { ...people.owner, agent, client: 'test' } })),
  asStranger: async ({ db, people }, use) =>
    use((agent) => ({ db, log, scopes, actor: { ...people.stranger, agent, client: 'test' } })),
  clock: async ({ sql, people }, use) =>
    use({
      async advance({ seconds }) {
        await sql.query(
          `insert into app.test_clock as clock values ($1, make_interval(secs => $2))
           on conflict (tenant_id) do update set ahead = clock.ahead + excluded.ahead`,
          [people.owner.tenant_id, seconds],
        );
      },
    }),
});
