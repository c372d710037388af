import { randomUUID } from 'node:crypto';
import { expect, test, vi } from 'vitest';

const compare = vi.hoisted(() => vi.fn());
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  compare.mockImplementation(crypto.timingSafeEqual);
  return { ...crypto, timingSafeEqual: compare };
});

const { hashSecret, sameHash } = await import('../../src/auth/secrets.ts');
const { mintEachKind } = await import('../support/secrets.ts');

test('two hashes are compared in a time that does not tell how much of them agrees', () => {
  const hash = hashSecret('one');

  expect([sameHash(hash, hash), sameHash(hash, hashSecret('other')), sameHash(hash, '')]).toEqual([true, false, false]);
  expect(compare).toHaveBeenCalledTimes(2);
});

test('a secret of any kind has 256 bits that were not there before', () => {
  const tenant = randomUUID();
  const rounds = Array.from({ length: 50 }, () => mintEachKind(tenant));

  for (const kind of rounds[0]?.keys() ?? []) {
    const secrets = rounds.map((round) => round[kind] ?? '');
    expect(new Set(secrets.map((secret) => secret.slice(-43))).size).toBe(50);
    for (const secret of secrets) expect(secret).toMatch(/^cairn_[a-z]{2,3}_[\w-]{43,64}(_\w{6})?$/);
  }
});
