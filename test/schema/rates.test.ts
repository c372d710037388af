import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createScratch, type Scratch } from '../support/scratch.ts';

// The rules of every bucket; those of sign-in are in test/remote/lock-out.test.ts.

type Taken = { allowed: boolean; retry_after_seconds: number };

let scratch: Scratch;
let tenants: string[];

beforeAll(async () => {
  scratch = await createScratch();
  tenants = await Promise.all(['ada', 'bob'].map(async (name) => (await scratch.signIn(name)).actor.tenant_id));
});
afterAll(() => scratch.drop());

async function take(bucket: string, [most, seconds]: [number, number], tenant = tenants[0]): Promise<Taken> {
  const client = await scratch.connect();
  try {
    await client.query(`select set_config('app.tenant_id', $1, false)`, [tenant]);
    const { rows } = await client.query('select app.take_rate($1, $2, $3) as taken', [bucket, most, seconds]);
    return rows[0].taken;
  } finally {
    await client.end();
  }
}

describe('a rate', () => {
  test('allows as many as it says, of however many at once', async () => {
    const bucket = `at once ${randomUUID()}`;
    const taken = await Promise.all(Array.from({ length: 20 }, () => take(bucket, [5, 600])));

    expect(taken.filter(({ allowed }) => allowed)).toHaveLength(5);
    for (const { allowed, retry_after_seconds } of taken) {
      expect(allowed ? retry_after_seconds === 0 : retry_after_seconds > 590 && retry_after_seconds <= 600).toBe(true);
    }
  });

  test('begins anew when its window ends, which refusals do not lengthen', async () => {
    await take('window', [1, 600]);
    await scratch.sql.query(`update app.rates set ends_at = now() + interval '2 seconds' where bucket = 'window'`);
    expect(await take('window', [1, 600])).toEqual({ allowed: false, retry_after_seconds: 2 });
    await scratch.sql.query(`update app.rates set ends_at = now() where bucket = 'window'`);

    expect(await take('window', [1, 600])).toEqual({ allowed: true, retry_after_seconds: 0 });
  });

  test('is one of its workspace', async () => {
    await take('own', [1, 600]);

    expect(await take('own', [1, 600], tenants[1])).toMatchObject({ allowed: true });
    expect(await take('own', [1, 600])).toMatchObject({ allowed: false });
  });
});
