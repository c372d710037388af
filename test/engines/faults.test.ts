import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject } from 'vitest';
import type { Context } from '../../src/context.ts';
import { type PostgresDatabase, type PostgresOptions, postgresDatabase } from '../../src/db/postgres.ts';
import { call, plan, take } from '../support/calls.ts';
import { createEmptyDatabase } from '../support/database.ts';
import { type Fault, type Network, openNetwork } from '../support/network.ts';
import { createScratch } from '../support/scratch.ts';
import { test } from '../support/world.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

let network: Network;
let databases: PostgresDatabase[] = [];

beforeAll(async () => {
  network = await openNetwork(inject('server'));
});
beforeEach(() => {
  network.heal();
});
afterAll(async () => {
  network.heal();
  await Promise.all(databases.map((db) => db.close()));
  await network.close();
});

/** The port over the network that breaks, with limits that a test can wait for. */
function overNetwork(options: Partial<PostgresOptions> = {}): PostgresDatabase {
  const limits = { connect: 1_000, short: 1_000, grace: 300 };
  const db = postgresDatabase({ connection: network.connection, connectionsMax: 1, limits, ...options });
  databases = [...databases, db];
  return db;
}

async function countEvents(sql: pg.Pool, { actor }: Context): Promise<number> {
  const { rows } = await sql.query('select count(*)::int as n from public.events where tenant_id = $1', [
    actor.tenant_id,
  ]);
  return rows[0].n;
}

const FAULTS: Fault[] = ['before', 'during', 'after'];
const COMMANDS = ['create_tasks', 'record_event', 'claim_task', 'complete_task', 'save_checkpoint'] as const;

/** A command of each shape: of new ids, of a note, of a choice under a lock, of a lock's holder, of a snapshot. */
async function prepare(ctx: Context, command: (typeof COMMANDS)[number]): Promise<Record<string, unknown>> {
  if (command === 'create_tasks') return { project: 'web', tasks: [{ title: 'Once' }, { title: 'Once more' }] };
  if (command === 'record_event') return { project: 'web', text: 'Once.' };
  if (command === 'claim_task') return { project: 'web' };
  if (command === 'complete_task') return { ...(await take(ctx, 'web-1')), summary: 'Once.' };
  return { project: 'web', label: 'Once', summary: 'Where it stands.' };
}

describe('a connection that is lost', () => {
  for (const fault of FAULTS) {
    for (const command of COMMANDS) {
      test(`${fault} ${command}: the retry gets the one true result, and it is done once`, async ({ as, sql }) => {
        await plan(as('ada'), [{ title: 'First' }, { title: 'Second' }]);
        const input = { ...(await prepare(as('ada'), command)), idempotency_key: 'k' };
        const ada = { ...as('ada'), db: overNetwork() };
        await call(ada, 'list_projects');
        const before = await countEvents(sql, ada);

        network.breakNext(fault);
        await expect(call(ada, command, input)).rejects.toMatchObject({
          code: 'unavailable',
          retryable: true,
          hint: expect.stringContaining('same idempotency_key'),
        });
        const lost = await countEvents(sql, ada);
        const retried = await call(ada, command, input);
        const after = await countEvents(sql, ada);
        const again = await call(ada, command, input);

        if (fault === 'before') expect(lost).toBe(before);
        if (fault === 'after') expect(lost).toBe(after);
        expect(after).toBe(before + (command === 'create_tasks' ? 2 : 1));
        expect(again).toEqual(retried);
        expect(await countEvents(sql, ada)).toBe(after);
        expect(await ada.db.call('verify_events', {}, ada.actor)).toMatchObject({ ok: true });
      });
    }
  }

  test('while the command waits in the server: the retry waits for it, and gets its result', async ({ as, sql }) => {
    await plan(as('ada'), [{ title: 'First' }]);
    const ada = { ...as('ada'), db: overNetwork({ limits: { short: 20_000 } }) };
    const input = { project: 'web', text: 'Once.', idempotency_key: 'k' };
    await call(ada, 'list_projects');
    const before = await countEvents(sql, ada);
    const holder = await sql.connect();
    await holder.query('begin');
    await holder.query('select from app.positions where tenant_id = $1 for update', [ada.actor.tenant_id]);

    const first = call(ada, 'record_event', input);
    await expect.poll(() => waitingFor(sql, 'transactionid')).toBe(1);
    network.goDown();
    await expect(first).rejects.toMatchObject({ code: 'unavailable' });
    network.heal();
    const retried = call(ada, 'record_event', input);
    await expect.poll(() => waitingFor(sql, 'advisory')).toBe(1);
    await holder.query('commit');
    holder.release();

    expect(await retried).toMatchObject({ seq: before + 1 });
    expect(await countEvents(sql, ada)).toBe(before + 1);
  });

  test('for good: every call ends in time as unavailable, and memory does not grow', async ({ as }) => {
    const ada = { ...as('ada'), db: overNetwork({ connectionsMax: 2 }) };
    await call(ada, 'list_projects');
    network.goDown();

    async function fail(times: number): Promise<number> {
      const calls = Array.from({ length: times }, () => call(ada, 'record_event', { text: 'x'.repeat(10_000) }));
      const codes = (await Promise.allSettled(calls)).map((result) =>
        result.status === 'rejected' ? result.reason.code : 'answered',
      );
      expect(new Set(codes)).toEqual(new Set(['unavailable']));
      collectGarbage();
      return process.memoryUsage().heapUsed;
    }
    await fail(200);
    const early = await fail(200);
    for (let round = 0; round < 8; round += 1) await fail(200);
    const late = await fail(200);

    // Memory that a call kept would add 2 MB a round.
    expect(late - early).toBeLessThan(8_000_000);
    network.heal();
    expect(await call(ada, 'list_projects')).toMatchObject({ projects: [] });
  });
});

async function waitingFor(sql: pg.Pool, event: string): Promise<number> {
  const { rows } = await sql.query(
    `select count(*)::int as n from pg_stat_activity
      where wait_event_type = 'Lock' and wait_event = $1 and query like '%append_events%'`,
    [event],
  );
  return rows[0].n;
}

describe('a network that', () => {
  test('swallows what is sent: the call ends in time as unavailable, and the next one works', async ({ as }) => {
    const ada = { ...as('ada'), db: overNetwork() };
    await call(ada, 'list_projects');
    network.breakNext('swallow');
    const started = performance.now();

    await expect(call(ada, 'list_projects')).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    const elapsed = performance.now() - started;
    await expect(call(ada, 'list_projects')).rejects.toMatchObject({ code: 'unavailable' });
    network.heal();

    expect(elapsed).toBeLessThan(5_000);
    expect(await call(ada, 'list_projects')).toMatchObject({ projects: [] });
  });

  test('is slow costs a call one round trip', async ({ as }) => {
    const ada = { ...as('ada'), db: overNetwork({ limits: undefined }) };
    await call(ada, 'list_projects');
    network.slowDown(1_000);
    const started = performance.now();

    await call(ada, 'list_projects');

    const elapsed = performance.now() - started;
    expect(elapsed).toBeGreaterThanOrEqual(1_990);
    // Two round trips would take 4,000.
    expect(elapsed).toBeLessThan(3_900);
  });
});

describe('a server that', () => {
  test('refuses a command is waited for until it holds nothing any more', async ({ as }) => {
    const ada = { ...as('ada'), db: overNetwork({ limits: undefined }) };
    await plan(ada, [{ title: 'First' }]);
    network.holdEnds(300);
    const reopening = { task: 'web-1', status: 'reopened', reason: 'So.' };
    const started = performance.now();

    await expect(call(ada, 'update_task', reopening)).rejects.toMatchObject({
      code: 'illegal_transition',
    });

    expect(performance.now() - started).toBeGreaterThanOrEqual(295);
  });

  test('has no connection left for us says so', async ({ as }) => {
    const ada = { ...as('ada'), db: overNetwork({ limits: { connect: 300, short: 5_000 } }) };
    await call(ada, 'list_projects');
    network.slowDown(500);

    const calls = await Promise.allSettled([1, 2, 3].map(() => call(ada, 'list_projects')));

    const refused = calls.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect(refused).toHaveLength(2);
    expect(refused[0]).toMatchObject({ code: 'unavailable', hint: expect.stringContaining('are busy') });
  });

  test('takes no more connections is unavailable until it does', async ({ as }) => {
    const { connection, connect, drop } = await createEmptyDatabase();
    const admin = await connect();
    await admin.query(`alter database ${connection.database} connection limit 0; create role crowd login`);
    const crowded = postgresDatabase({ connection: { ...connection, user: 'crowd' } });

    await expect(crowded.call('list_projects', {}, as('ada').actor)).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      hint: expect.stringContaining('no connection left'),
    });

    await crowded.close();
    await admin.query('drop role crowd');
    await admin.end();
    await drop();
  });

  test('knows neither the database nor the user refuses for good', async ({ as }) => {
    const wrong = postgresDatabase({ connection: { ...network.connection, database: 'nowhere' } });
    const unknown = postgresDatabase({ connection: { ...network.connection, user: 'nobody' } });
    const secure = postgresDatabase({ connection: { ...network.connection, ssl: true } });

    for (const db of [wrong, unknown, secure]) {
      await expect(db.call('list_projects', {}, as('ada').actor)).rejects.toMatchObject({
        code: 'unavailable',
        retryable: false,
        hint: expect.stringContaining('DATABASE_URL'),
      });
      await db.close();
    }
  });
});

describe('commands that collide', () => {
  test('in a database of repeatable reads are repeated, and each is done once or not at all', async () => {
    const scratch = await createScratch();
    await scratch.sql.query(
      `alter database ${scratch.connection.database} set default_transaction_isolation = 'repeatable read'`,
    );
    const ada = await scratch.signIn('ada');
    const { connection } = scratch;
    const writers = Array.from({ length: 6 }, () => postgresDatabase({ connection, connectionsMax: 1 }));
    await ada.db.call(
      'append_events',
      {
        events: [
          {
            stream: 'project:018f0000-0000-7000-8000-000000000001',
            type: 'project.created',
            data: { slug: 'web', name: 'Web' },
          },
        ],
      },
      ada.actor,
    );
    const events = [{ stream: 'project:web', type: 'project.noted', data: { text: 'Once.', kind: 'note' } }];

    const results = await Promise.allSettled(
      writers.flatMap((db, writer) =>
        [1, 2, 3, 4].map((at) =>
          db.call(
            'append_events',
            { events, command: { name: 'x', key: `${writer}-${at}`, fingerprint: 'f' } },
            ada.actor,
          ),
        ),
      ),
    );

    const done = results.filter(({ status }) => status === 'fulfilled').length;
    const codes = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
    expect(codes.filter((code) => code !== 'unavailable')).toEqual([]);
    const { rows } = await scratch.sql.query('select count(*)::int as n from public.events');
    expect(rows[0].n).toBe(done + 1);
    await Promise.all(writers.map((db) => db.close()));
    await scratch.drop();
  });
});
