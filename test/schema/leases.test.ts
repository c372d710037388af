import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/events/ids.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

// The rules of every lease, whatever it is of; those of tasks are in test/contract/fencing.test.ts and beside it.

const AT = '2026-01-01T00:00:00Z';
const minutes = (count: number) => new Date(Date.parse(AT) + count * 60_000).toISOString();

type Lease = { token: string; holder: string; expires_at: Date } | null;

let scratch: Scratch;
let tenant: string;

beforeAll(async () => {
  scratch = await createScratch();
  tenant = (await scratch.signIn('ada')).actor.tenant_id;
});
afterAll(() => scratch.drop());

async function take(
  id: string,
  holder: string,
  { at = AT, ...more }: { at?: string; token?: number; ttl_seconds?: number } = {},
): Promise<Lease> {
  const wanted = { tenant_id: tenant, kind: 'command', id, holder, ttl_seconds: 60, ...more };
  const { rows } = await scratch.sql.query(
    `select t.* from app.take_lease(jsonb_populate_record(null::public.leases, $1), $2) t where t.id is not null`,
    [wanted, at],
  );
  return rows[0] ?? null;
}

async function value<T>(name: string, args: unknown[]): Promise<T> {
  const list = args.map((_, at) => `$${at + 1}`).join(', ');
  return (await scratch.sql.query(`select app.${name}(${list}) as value`, args)).rows[0].value;
}
const extend = (id: string, token: unknown, at: string) =>
  value<Date | null>('extend_lease', [tenant, 'command', id, token, at]);
const check = (id: string, token: unknown, at: string) =>
  value<void>('check_lease', [tenant, 'command', id, token, at]);
const release = (id: string, token: unknown, at: string) =>
  value<boolean>('release_lease', [tenant, 'command', id, token, at]);

describe('a lease', () => {
  test('is taken by one of many at once', async () => {
    const id = newId();
    const clients = await Promise.all(Array.from({ length: 20 }, () => scratch.connect()));

    const taken = await Promise.all(
      clients.map((client, at) =>
        client.query(
          `select t.* from app.take_lease(jsonb_populate_record(null::public.leases, $1), $2) t where t.id is not null`,
          [{ tenant_id: tenant, kind: 'command', id, holder: `worker-${at}`, ttl_seconds: 60 }, AT],
        ),
      ),
    );
    await Promise.all(clients.map((client) => client.end()));

    expect(taken.flatMap(({ rows }) => rows)).toMatchObject([{ token: '1' }]);
  });

  test('is held until it expires, and then taken over with a higher token', async () => {
    const id = newId();
    expect(await take(id, 'ada')).toMatchObject({ token: '1', holder: 'ada', expires_at: new Date(minutes(1)) });

    expect(await take(id, 'bob', { at: minutes(0.9) })).toBeNull();
    expect(await take(id, 'bob', { at: minutes(1) })).toMatchObject({ token: '2', holder: 'bob' });
  });

  test('is extended by its holder, never shortened, and by nobody else', async () => {
    const id = newId();
    await take(id, 'ada', { ttl_seconds: 600 });

    expect(await extend(id, 1, minutes(5))).toEqual(new Date(minutes(15)));
    expect(await extend(id, 1, minutes(1))).toEqual(new Date(minutes(15)));
    expect(await extend(id, 2, minutes(5))).toBeNull();
    expect(await value('extend_lease', [newId(), 'command', id, 1, minutes(5)])).toBeNull();
    expect(await value('extend_lease', [tenant, 'schedule', id, 1, minutes(5)])).toBeNull();
  });

  test('that expired, or was taken over, is refused to its late holder', async () => {
    const id = newId();
    await take(id, 'ada');
    await check(id, 1, minutes(0.5));

    await expect(check(id, 1, minutes(1))).rejects.toThrow('The lease of the command');
    await take(id, 'bob', { at: minutes(2) });
    await expect(check(id, 1, minutes(2.5))).rejects.toThrow('is not yours any more');
    await check(id, 2, minutes(2.5));
  });

  test('that was given back is free at once, and its next token is higher', async () => {
    const id = newId();
    await take(id, 'ada');

    expect(await release(id, 9, minutes(0.5))).toBe(false);
    expect(await release(id, 1, minutes(0.5))).toBe(true);

    expect(await take(id, 'bob', { at: minutes(0.5) })).toMatchObject({ token: '2', holder: 'bob' });
    expect(await release(id, 1, minutes(0.6))).toBe(false);
  });

  test('whose thing counts its own tokens takes that token, and never a lower one', async () => {
    const id = newId();
    expect(await take(id, 'ada', { token: 7 })).toMatchObject({ token: '7' });
    expect(await take(id, 'bob', { at: minutes(2), token: 3 })).toMatchObject({ token: '8' });
  });

  test('is seen by its workspace alone, and by a limited token in its project alone', async () => {
    const { rows } = await scratch.sql.query(
      `select array_agg(polname::text order by polname) as policies, bool_and(c.relforcerowsecurity) as forced
       from pg_policy p join pg_class c on c.oid = p.polrelid where p.polrelid = 'public.leases'::regclass`,
    );

    expect(rows).toEqual([
      { policies: ['door', 'own_delete', 'own_insert', 'own_select', 'own_update', 'reach'], forced: true },
    ]);
  });
});
