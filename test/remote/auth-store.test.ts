import { describe, expect } from 'vitest';
import { authStore } from '../../src/auth/store.ts';
import { atOnce, connect, consent, mint, minted, register, workspaceOf } from '../support/authorization-flow.ts';
import { CHALLENGE, REDIRECT, RESOURCE } from '../support/fill-authorization.ts';
import { test } from '../support/world.ts';

describe('an authorization code', () => {
  test('is redeemed by exactly one of many at once, and then what it gave is dead', async ({ users }) => {
    const store = authStore(users.owner.db);
    const { client_id, code } = await consent(store, users.owner.actor);
    const presented = { client_id, redirect_uri: REDIRECT, code_challenge: CHALLENGE };
    const pairs = Array.from({ length: 5 }, () => mint('access'));

    const answers = await Promise.all(
      pairs.map((access) =>
        store.redeemCode({ code_hash: code.hash, presented, minted: minted(access) }, workspaceOf(users.owner.actor)),
      ),
    );

    expect(answers.filter((answer) => 'scope' in answer)).toHaveLength(1);
    expect(answers.filter((answer) => 'refused' in answer && answer.refused === 'reused')).toHaveLength(4);
    for (const { hash } of pairs) {
      expect(
        await store.authenticateToken({ token_hash: hash, resource: RESOURCE }, workspaceOf(users.owner.actor)),
      ).toHaveProperty('refused');
    }
  });

  test('is redeemed once by two that are at it in the same moment', async ({ users, sql }) => {
    const store = authStore(users.owner.db);
    const { client_id, code } = await consent(store, users.owner.actor);
    const presented = { client_id, redirect_uri: REDIRECT, code_challenge: CHALLENGE };
    const redeem = () =>
      store.redeemCode({ code_hash: code.hash, presented, minted: minted() }, workspaceOf(users.owner.actor));

    const answers = await atOnce(sql, client_id, [redeem, redeem]);

    expect(answers.filter((answer) => 'scope' in answer)).toHaveLength(1);
  });

  test.for([
    ['client', { client_id: 'other' }],
    ['redirect_uri', { redirect_uri: 'http://localhost:1/callback' }],
    ['code_challenge', { code_challenge: 'x'.repeat(43) }],
    ['resource', { resource: 'https://other.test/mcp' }],
  ] as const)('is refused with another %s', async ([why, wrong], { users }) => {
    const store = authStore(users.owner.db);
    const { client_id, code } = await consent(store, users.owner.actor);
    const presented = { client_id, redirect_uri: REDIRECT, code_challenge: CHALLENGE, ...wrong };

    expect(
      await store.redeemCode({ code_hash: code.hash, presented, minted: minted() }, workspaceOf(users.owner.actor)),
    ).toEqual({ refused: why });
  });

  test('ends after a minute', async ({ users, clock }) => {
    const store = authStore(users.owner.db);
    const { client_id, code } = await consent(store, users.owner.actor);
    const presented = { client_id, redirect_uri: REDIRECT, code_challenge: CHALLENGE };

    await clock.advance({ seconds: 61 });

    expect(
      await store.redeemCode({ code_hash: code.hash, presented, minted: minted() }, workspaceOf(users.owner.actor)),
    ).toEqual({
      refused: 'expired',
    });
  });
});

test('expired rows are deleted, a client that nobody authorized in a day among them', async ({ users, sql }) => {
  const store = authStore(users.owner.db);
  const { client_id: authorized } = await connect(store, users.owner.actor);
  const [forgotten, fresh] = [await register(store), await register(store)];
  await sql.query(`update app.oauth_clients set created_at = now() - interval '25 hours' where client_id = any ($1)`, [
    [authorized, forgotten],
  ]);
  const isThere = async (client_id: string) => (await store.getClient(client_id, {})) !== undefined;

  await store.purge();

  expect([await isThere(forgotten), await isThere(authorized), await isThere(fresh)]).toEqual([false, true, true]);
});
