import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import type { Context } from '../../src/context.ts';
import { openDatabase, openEngine } from '../../src/db/open.ts';
import { type PostgresDatabase, postgresDatabase } from '../../src/db/postgres.ts';
import { createLog } from '../../src/log.ts';
import { blobs } from '../support/blobs.ts';
import { call, plan, take } from '../support/calls.ts';
import { signIn } from '../support/engine.ts';
import { lacks } from '../support/needs.ts';
import { hasPgbouncer, type Pooler, startPgbouncer } from '../support/pgbouncer.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

const CLIENTS = 6;
const TASKS = 4;

const log = createLog('silent');

let scratch: Scratch;
let pooler: Pooler;
let clients: PostgresDatabase[];

beforeEach(async () => {
  scratch = await createScratch();
  clients = [];
});
afterEach(async () => {
  await Promise.all(clients.map((db) => db.close()));
  await pooler?.stop();
  await scratch.drop();
});

function connect(options: { pooled?: boolean } = {}): PostgresDatabase {
  const db = postgresDatabase({ connection: pooler.connection, ...options });
  clients = [...clients, db];
  return db;
}

async function asNewUser(db: PostgresDatabase, name: string): Promise<Context> {
  const { actor } = await signIn(db, name);
  return { db, blobs, log, scopes: 'all', actor: { ...actor, agent: name, client: 'test' } };
}

/** Several users at once, each with a client and a workspace of its own, over fewer connections than clients. */
async function work(options: { pooled?: boolean }): Promise<Context[]> {
  return Promise.all(
    Array.from({ length: CLIENTS }, async (_, at) => {
      const ctx = await asNewUser(connect(options), `user-${at}-${randomUUID()}`);
      await plan(
        ctx,
        Array.from({ length: TASKS }, (_, task) => ({ title: `Task ${task} of ${at}` })),
      );
      for (let task = 1; task <= TASKS; task += 1) {
        const lock = await take(ctx, `web-${task}`);
        await call(ctx, 'complete_task', { ...lock, summary: 'Done.' });
      }
      return ctx;
    }),
  );
}

async function expectApart(contexts: Context[]): Promise<void> {
  for (const [at, ctx] of contexts.entries()) {
    const { tasks } = await call(ctx, 'list_tasks', { project: 'web' });
    expect(tasks.map(({ title }) => title).sort()).toEqual([0, 1, 2, 3].map((task) => `Task ${task} of ${at}`));
    expect(await ctx.db.call('verify_events', {}, ctx.actor)).toMatchObject({ ok: true, events: 1 + 3 * TASKS });
  }
}

describe.skipIf(lacks('pgbouncer', hasPgbouncer))(
  'through a transaction pooler (skipped where pgbouncer is not installed)',
  () => {
    test('clients share few connections, and nothing of one reaches another', async () => {
      pooler = await startPgbouncer({ ...scratch.connection });

      const contexts = await work({ pooled: true });

      await expectApart(contexts);
    });

    test('that refuses settings, calls adapt to it by themselves', async () => {
      pooler = await startPgbouncer({ ...scratch.connection });

      const contexts = await work({});

      await expectApart(contexts);
      expect(clients.map((db) => db.isPooled())).toEqual(clients.map(() => true));
    });

    test('that swallows settings, calls adapt when a prepared statement is not there', async () => {
      pooler = await startPgbouncer({ ...scratch.connection }, { ignore_startup_parameters: 'statement_timeout' });

      const contexts = await work({});

      await expectApart(contexts);
      expect(clients.some((db) => db.isPooled())).toBe(true);
      // Also where no call has met it yet: the loss of its connections says nothing of a process.
      const late = connect();
      expect([late.isPooled(), await late.isDirect()]).toEqual([false, false]);
    });

    test('the program migrates, opens, and knows that LISTEN hears nothing there', async () => {
      pooler = await startPgbouncer({ ...scratch.connection });
      const { host, port, user, database } = pooler.connection;
      const url = `postgres://${user}@${host}:${port}/${database}`;

      const direct = await openDatabase(readConfig({ databaseUrl: url }, {}), log);
      const told = await openEngine(readConfig({ databaseUrl: `${url}?pgbouncer=true` }, {}), log);
      await asNewUser(direct.db as PostgresDatabase, 'ada');

      expect([direct.isPooled(), told.isPooled()]).toEqual([true, true]);
      await direct.close();
      await told.close();
    });

    test('that goes away, a call is unavailable', async () => {
      pooler = await startPgbouncer({ ...scratch.connection });
      const ada = await asNewUser(connect({ pooled: true }), 'ada');
      await pooler.stop();

      await expect(call(ada, 'list_projects')).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    });
  },
);

test('a server without a pooler stays as it is', async () => {
  const ada = await scratch.signIn('ada');

  expect(await ada.db.call('list_projects', {}, ada.actor)).toMatchObject({ projects: [] });
  const db = scratch.db as PostgresDatabase;
  expect([db.isPooled(), await db.isDirect()]).toEqual([false, true]);
});
