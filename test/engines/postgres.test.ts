import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { postgresDatabase } from '../../src/db/postgres.ts';
import { ask } from '../support/ask.ts';
import { createEmptyDatabase, type EmptyDatabase } from '../support/database.ts';

// The port only calls functions of its list, so the stand-ins below have names of that list.
const STAND_INS = `
  create function public.search(a jsonb default null, b text default null, c int default null, d boolean default null,
    actor jsonb default null) returns jsonb language plpgsql as $$
  begin
    return jsonb_build_object('a', a, 'b', b, 'c', c, 'd', d, 'actor', actor);
  end $$;

  create function public.get_task(actor jsonb) returns jsonb language plpgsql as $$
  begin
    raise exception using errcode = 'PT404', message = 'There is no task web-9.', hint = 'List them.',
      detail = '{"code": "not_found"}';
  end $$;

  create sequence tries;
  create function public.claim_task(collisions int, actor jsonb) returns jsonb language plpgsql as $$
  begin
    if nextval('tries') <= collisions then raise exception using errcode = '40P01'; end if;
    return to_jsonb(currval('tries'));
  end $$;

  create function public.get_state(actor jsonb) returns jsonb language plpgsql as $$
  begin
    return to_jsonb(pg_backend_pid());
  end $$;`;

const ADA = { user_id: 'u1', tenant_id: 't1', agent: 'ada' };

let database: EmptyDatabase;
let admin: pg.Client;
let db: Database;

beforeAll(async () => {
  database = await createEmptyDatabase();
  admin = await database.connect();
  await admin.query(STAND_INS);
  db = postgresDatabase({ connection: database.connection });
});

afterAll(async () => {
  await db.close();
  await admin.end();
  await database.drop();
});

describe('a call', () => {
  test('passes every kind of argument, and who acts', async () => {
    const result = await ask({ db, actor: ADA }, 'search', { a: [1, { x: "it's" }], b: 'a "b"', c: 3, d: true });

    expect(result).toEqual({ a: [1, { x: "it's" }], b: 'a "b"', c: 3, d: true, actor: ADA });
  });

  test('leaves out arguments that are undefined, and passes null', async () => {
    const result = await ask({ db, actor: ADA }, 'search', { a: undefined, b: null, c: 0 });

    expect(result).toEqual({ a: null, b: null, c: 0, d: null, actor: ADA });
  });

  test('works without prepared statements, as behind a transaction pooler', async () => {
    const pooled = postgresDatabase({ connection: database.connection, pooled: true });

    const result = await ask({ db: pooled, actor: ADA }, 'search', { b: 'x' });

    expect(result).toMatchObject({ b: 'x' });
    await pooled.close();
  });

  test('refuses a function outside the list and an argument name that is none', async () => {
    await expect(ask({ db, actor: ADA }, 'pg_sleep' as 'search', {})).rejects.toMatchObject({ code: 'internal' });
    await expect(ask({ db, actor: ADA }, 'search', { 'a => 1); --': 1 })).rejects.toMatchObject({ code: 'internal' });
    await expect(ask({ db, actor: ADA }, 'search', { actor: 1 })).rejects.toMatchObject({ code: 'internal' });
  });

  test('passes a refusal on and keeps its connection', async () => {
    const one = postgresDatabase({ connection: database.connection, connectionsMax: 1 });
    const before = await ask({ db: one, actor: ADA }, 'get_state', {});

    const refusal = ask({ db: one, actor: ADA }, 'get_task', {});

    await expect(refusal).rejects.toMatchObject({ code: 'not_found', hint: 'List them.' });
    expect(await ask({ db: one, actor: ADA }, 'get_state', {})).toBe(before);
    await one.close();
  });

  test.each([
    ['a NUL character in JSON', { a: { text: 'a\0b' } }],
    ['a NUL character in text', { b: 'a\0b' }],
    ['a lone surrogate', { a: ['\ud800'] }],
    ['a number out of range', { c: 3_000_000_000 }],
  ])('with %s is invalid input', async (_case, args) => {
    await expect(ask({ db, actor: ADA }, 'search', args)).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('that collides is repeated, up to three times', async () => {
    const third = await ask({ db, actor: ADA }, 'claim_task', { collisions: 2 });
    await admin.query('alter sequence tries restart');
    const fourth = ask({ db, actor: ADA }, 'claim_task', { collisions: 3 });

    expect(third).toBe(3);
    await expect(fourth).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  });

  test('after the server cut the connection works again', async () => {
    const one = postgresDatabase({ connection: database.connection, connectionsMax: 1 });
    const pid = await ask({ db: one, actor: ADA }, 'get_state', {});

    await admin.query('select pg_terminate_backend($1, 5000)', [pid]);

    const next = await ask({ db: one, actor: ADA }, 'get_state', {}).catch(() =>
      ask({ db: one, actor: ADA }, 'get_state', {}),
    );
    expect(next).not.toBe(pid);
    await one.close();
  });

  test('to a server that is not there is unavailable', async () => {
    const nowhere = postgresDatabase({ connection: { host: '/nonexistent', user: 'x', database: 'x' } });

    await expect(ask({ db: nowhere, actor: ADA }, 'search', {})).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
  });

  test('revives a server that is not there, once', async () => {
    let revived = 0;
    const nowhere = postgresDatabase({
      connection: { host: '/nonexistent', user: 'x', database: 'x' },
      revive: async () => {
        revived += 1;
      },
    });

    await expect(ask({ db: nowhere, actor: ADA }, 'search', {})).rejects.toMatchObject({ code: 'unavailable' });
    expect(revived).toBe(1);
  });
});
