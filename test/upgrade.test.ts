import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { restore } from '../src/db/backup.ts';
import type { Database } from '../src/db/database.ts';
import { postgresDatabase } from '../src/db/postgres.ts';
import { append, type Caller, record, verify } from './support/commands.ts';
import { createEmptyDatabase, type EmptyDatabase, overClient } from './support/database.ts';
import { keptBackup, keptCommits } from './support/kept.ts';
import { installClock } from './support/world.ts';

async function dump({ connect }: EmptyDatabase): Promise<string> {
  const client = await connect();
  try {
    const { dumpSchema } = await import(new URL('../scripts/dump-schema.mjs', import.meta.url).href);
    return await dumpSchema(client);
  } finally {
    await client.end();
  }
}

describe.each(await keptCommits())('a database of commit %s, upgraded in place', (commit) => {
  let database: EmptyDatabase;
  let sql: pg.Client;
  let db: Database;
  let owner: Caller;
  let schema: string;

  beforeAll(async () => {
    database = await createEmptyDatabase();
    sql = await database.connect();
    await restore(sql, keptBackup(commit));
    schema = await dump(database);
    // The locks and tokens in it were alive when it was made.
    await installClock(sql);
    await sql.query(
      `insert into app.test_clock
         select p.tenant_id, (select max(e.created_at) from public.events e) - clock_timestamp() from app.positions p`,
    );
    db = postgresDatabase({ connection: database.connection });
    const { rows } = await sql.query('select user_id, tenant_id from public.projects limit 1');
    owner = { db, actor: { ...rows[0], agent: 'ada', client: 'test' } };
  });
  afterAll(async () => {
    await db.close();
    await sql.end();
    await database.drop();
  });

  /** What the owner's calls answer, in a transaction that is undone: each test finds the database as it was restored. */
  async function undone<T>(work: (owner: Caller) => Promise<T>): Promise<T> {
    await sql.query('begin');
    try {
      return await work({ ...owner, db: overClient(sql) });
    } finally {
      await sql.query('rollback');
    }
  }

  test('has the schema that a new one has', async () => {
    const stored = await readFile(new URL('../supabase/schema.sql', import.meta.url), 'utf8');

    expect(schema.split('\n')).toEqual(stored.split('\n'));
  });

  test('verifies, before a replay and after it', async () => {
    const found = await undone(async (owner) => {
      const before = await verify(owner);
      await owner.db.call('replay_events', {}, owner.actor);
      return [before, await verify(owner)];
    });

    expect(found).toMatchObject([{ ok: true }, { ok: true }]);
  });

  test('knows the commands that it was sent before', async () => {
    const before = await db.call<{ position: number }>('get_position', {}, owner.actor);
    const { rows } = await sql.query('select key, result from app.idempotency_keys where key like $1', ['plan %']);

    const again = await Promise.all(
      rows.map(({ key }) =>
        append(owner, [{ stream: 'project:plan', type: 'project.archived' }], {
          name: 'create_tasks',
          key,
          fingerprint: 'plan',
        }),
      ),
    );

    expect(again).toEqual(rows.map(({ result }) => result));
    expect(await db.call('get_position', {}, owner.actor)).toEqual(before);
  });

  test('keeps the locks that agents hold, and their tokens', async () => {
    const { rows } = await sql.query(
      `select ref, lock_token::int from public.tasks where status = 'in_progress' order by ref`,
    );

    const [held] = rows.filter(({ ref }) => ref === 'plan-2');
    const completed = await undone((owner) =>
      record(owner, {
        stream: 'task:plan-2',
        type: 'task.completed',
        data: { summary: 'After the upgrade.' },
        expect: { lock_token: held.lock_token },
      }),
    );

    expect(rows.map(({ ref }) => ref)).toEqual(['odd-1', 'plan-2', 'web-2']);
    expect(completed.state).toMatchObject({ status: 'completed' });
  });

  test('lets in whom it had given a token', async () => {
    const { tenant_id = '' } = owner.actor;
    const token_hash = createHash('sha256').update(`${tenant_id} access first`).digest('hex');

    const bearer = await db.call(
      'authenticate_token',
      { token_hash, resource: 'https://cairn.test/mcp' },
      { user_id: '', tenant_id },
    );

    expect(bearer).toMatchObject({ user_id: owner.actor.user_id, scope: 'tasks:read' });
  });
});
