import pg from 'pg';
import { test as base, inject } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { Actor } from '../../src/db/database.ts';
import { createLog } from '../../src/log.ts';
import { blobs } from './blobs.ts';
import type { Caller } from './commands.ts';
import { type Engine, engineOfRun, openTestEngine, type Person } from './engine.ts';
import { prepareSchema } from './kept.ts';
import { setSameClock } from './same-clock.ts';
import { type WithWriters, writersOn } from './writers.ts';

type World = {
  /** The database that all tests share, as the engine of this run reaches it. */
  engine: Engine;
  /** Plain SQL as the superuser: for looking at rows, never for making them. */
  sql: pg.Pool;
  users: { owner: Person; stranger: Person };
  people: { owner: Actor; stranger: Actor };
  /** An agent of this test's user, in this test's workspace. */
  as: (agent: string) => Context;
  /** An agent of another user, in another workspace. */
  asStranger: (agent: string) => Context;
  withWriters: WithWriters;
  /** The time of this test's workspace. */
  clock: {
    advance(by: { seconds: number }): Promise<void>;
    /** Makes it as late in the stranger's workspace. */
    setForStranger(): Promise<void>;
  };
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

/** Puts the fake clock into a migrated database. */
export async function installClock(client: pg.Client): Promise<void> {
  await client.query('begin');
  await client.query('select pg_advisory_xact_lock($1)', [FAKE_CLOCK_LOCK]);
  await client.query(FAKE_CLOCK);
  await client.query('commit');
}

/** Migrates the run's database, whoever comes first, and puts the fake clock in. */
export async function prepareDatabase(): Promise<void> {
  const client = new pg.Client(inject('server'));
  await client.connect();
  try {
    await prepareSchema(client);
    await installClock(client);
  } finally {
    await client.end();
  }
}

const log = createLog('silent');

export function contextOf({ db, actor }: Caller): (agent: string) => Context {
  return (agent) => ({ db, blobs, log, scopes: 'all', actor: { ...actor, agent, client: 'test' } });
}

export const test = base.extend<World>({
  engine: [
    // biome-ignore lint/correctness/noEmptyPattern: Vitest reads a fixture's dependencies from this pattern.
    async ({}, use) => {
      await prepareDatabase();
      const engine = await openTestEngine(engineOfRun());
      await use(engine);
      await engine.close();
    },
    { scope: 'worker' },
  ],
  sql: [
    async ({ engine: _ }, use) => {
      const sql = new pg.Pool({ ...inject('server'), max: 2 });
      await use(sql);
      await sql.end();
    },
    { scope: 'worker' },
  ],
  users: async ({ engine }, use) =>
    use({ owner: await engine.signIn('owner'), stranger: await engine.signIn('stranger') }),
  people: async ({ users: { owner, stranger } }, use) => use({ owner: owner.actor, stranger: stranger.actor }),
  as: async ({ users: { owner } }, use) => use(contextOf(owner)),
  asStranger: async ({ users: { stranger } }, use) => use(contextOf(stranger)),
  withWriters: async ({ engine }, use) => use(writersOn(engine)),
  clock: async ({ sql, people }, use) =>
    use({
      async advance({ seconds }) {
        await sql.query(
          `insert into app.test_clock as clock values ($1, make_interval(secs => $2))
           on conflict (tenant_id) do update set ahead = clock.ahead + excluded.ahead`,
          [people.owner.tenant_id, seconds],
        );
      },
      setForStranger: () => setSameClock(sql, { from: people.owner.tenant_id, to: people.stranger.tenant_id }),
    }),
});
