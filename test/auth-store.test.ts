import { createHash, randomUUID } from 'node:crypto';
import type pg from 'pg';
import { describe, expect, vi } from 'vitest';
import { collectExpired } from '../src/auth/collect.ts';
import { mintSecret, mintWorkspaceSecret, type Secret } from '../src/auth/secrets.ts';
import { authStore, type Minted, type Person, type Store } from '../src/auth/store.ts';
import { newId } from '../src/events/ids.ts';
import { createLog } from '../src/log.ts';
import { test } from './support/world.ts';

const RESOURCE = 'https://cairn.test/mcp';
const REDIRECT = 'http://localhost:9999/callback';
const CHALLENGE = createHash('sha256').update('verifier').digest('base64url');

// Here a secret goes by its hash; test/auth-door.test.ts has the workspace in it.
const mint = (kind: 'access' | 'refresh' | 'code') => mintWorkspaceSecret(kind, randomUUID());
const workspaceOf = ({ tenant_id = '' }: Person) => ({ tenant_id });

function minted(access = mint('access'), refresh = mint('refresh')): Minted {
  const hashes = { access_hash: access.hash, refresh_hash: refresh.hash };
  return { id: newId(), ...hashes, access_seconds: 3_600, refresh_seconds: 2_592_000 };
}

// Who waits for a process, or for one that does.
const WAITING = `
  with recursive waiting as (
    select a.pid from pg_stat_activity a where $1 = any (pg_blocking_pids(a.pid))
    union
    select a.pid from pg_stat_activity a join waiting w on w.pid = any (pg_blocking_pids(a.pid)))
  select from waiting`;

/** Has all of them wait for a row of a grant, so that none is done before the last has begun; then lets them go on. */
async function atOnce<T>(sql: pg.Pool, client_id: string, works: (() => Promise<T>)[]): Promise<T[]> {
  const holder = await sql.connect();
  try {
    await holder.query('begin');
    await holder.query('select from app.oauth_grants where client_id = $1 for update', [client_id]);
    const { rows } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid');
    const done = works.map((work) => work());
    await vi.waitUntil(async () => (await sql.query(WAITING, [rows[0]?.pid])).rowCount === works.length, 20_000);
    await holder.query('commit');
    return await Promise.all(done);
  } finally {
    // Nothing to undo when it was committed.
    await holder.query('rollback');
    holder.release();
  }
}

async function register(store: Store): Promise<string> {
  const client_id = `dcr_${randomUUID()}`;
  const said = { client_name: 'Client', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' as const };
  await store.saveClient({ client_id, kind: 'dcr', ...said }, {});
  return client_id;
}

async function consent(
  store: Store,
  person: Person,
  { scope = 'tasks:read tasks:write' } = {},
): Promise<{ client_id: string; code: Secret }> {
  const client_id = await register(store);
  const [request, txn, code] = [mintSecret('request'), mintSecret('txn'), mint('code')];
  const binding = { request_hash: request.hash, txn_hash: txn.hash };
  await store.startAuthorization(
    {
      ...binding,
      client_id,
      redirect_uri: REDIRECT,
      scope,
      resource: RESOURCE,
      code_challenge: CHALLENGE,
      ttl_seconds: 600,
    },
    {},
  );
  expect(await store.openAuthorization(binding, person)).toMatchObject({ client: { client_id } });
  const decision = {
    allow: true as const,
    scope,
    grant_id: newId(),
    code_hash: code.hash,
    redirect_host: 'localhost',
    code_seconds: 60,
    grant_seconds: 86_400 * 90,
  };
  expect(await store.answerAuthorization({ ...binding, decision }, person)).toMatchObject({ allowed: true });
  return { client_id, code };
}

async function connect(store: Store, person: Person) {
  const { client_id, code } = await consent(store, person);
  const [access, refresh] = [mint('access'), mint('refresh')];
  const presented = { client_id, redirect_uri: REDIRECT, code_challenge: CHALLENGE, resource: RESOURCE };
  const issued = await store.redeemCode(
    { code_hash: code.hash, presented, minted: minted(access, refresh) },
    workspaceOf(person),
  );
  expect(issued).toMatchObject({ scope: 'tasks:read tasks:write', expires_in: 3_600 });
  return { client_id, code, presented, access, refresh };
}

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

describe('a refresh token', () => {
  test('gives each of five processes at once tokens of its own, and kills the family when it is used again later', async ({
    users,
    clock,
  }) => {
    const store = authStore(users.owner.db);
    const { client_id, refresh, access } = await connect(store, users.owner.actor);
    const presented = { client_id, grace_seconds: 120 };
    const again = (pair = minted()) =>
      store.refreshToken({ token_hash: refresh.hash, presented, minted: pair }, workspaceOf(users.owner.actor));
    const siblings = Array.from({ length: 5 }, () => mint('access'));

    const answers = await Promise.all(siblings.map((sibling) => again(minted(sibling))));

    expect(answers.filter((answer) => 'scope' in answer)).toHaveLength(5);
    const live = (token: Secret) =>
      store.authenticateToken({ token_hash: token.hash, resource: RESOURCE }, workspaceOf(users.owner.actor));
    for (const sibling of siblings) expect(await live(sibling)).toMatchObject({ client_id });

    await clock.advance({ seconds: 300 });
    expect(await again()).toEqual({ refused: 'reused' });
    for (const token of [access, ...siblings]) expect(await live(token)).toEqual({ refused: 'revoked' });
  });

  test('is good for ten siblings and no more, within the scope that was granted', async ({ users }) => {
    const store = authStore(users.owner.db);
    const { client_id, refresh } = await connect(store, users.owner.actor);
    const use = (extra: { scope?: string; client_id?: string } = {}) =>
      store.refreshToken(
        { token_hash: refresh.hash, presented: { client_id, grace_seconds: 120, ...extra }, minted: minted() },
        workspaceOf(users.owner.actor),
      );

    expect(await use({ client_id: 'other' })).toEqual({ refused: 'client' });
    expect(await use({ scope: 'tasks:read admin' })).toEqual({ refused: 'scope' });
    expect(await use({ scope: 'tasks:read' })).toMatchObject({ scope: 'tasks:read' });
    for (let number = 2; number <= 10; number++) expect(await use()).toHaveProperty('scope');
    expect(await use()).toEqual({ refused: 'reused' });
  });

  test('has no eleventh sibling, when two ask for the tenth in the same moment', async ({ users, sql }) => {
    const store = authStore(users.owner.db);
    const { client_id, refresh } = await connect(store, users.owner.actor);
    const presented = { client_id, grace_seconds: 120 };
    const use = () =>
      store.refreshToken({ token_hash: refresh.hash, presented, minted: minted() }, workspaceOf(users.owner.actor));
    for (let number = 1; number <= 9; number++) expect(await use()).toHaveProperty('scope');

    const answers = await atOnce(sql, client_id, [use, use]);

    expect(answers.filter((answer) => 'scope' in answer)).toHaveLength(1);
  });

  test('and its access token end in their time, and with the membership', async ({ users, clock, sql }) => {
    const { actor } = users.owner;
    const store = authStore(users.owner.db);
    const { client_id, access, refresh } = await connect(store, actor);
    const live = () => store.authenticateToken({ token_hash: access.hash, resource: RESOURCE }, workspaceOf(actor));
    const use = (resource = RESOURCE) => {
      const presented = { client_id, grace_seconds: 120, resource };
      return store.refreshToken({ token_hash: refresh.hash, presented, minted: minted() }, workspaceOf(actor));
    };

    expect(await live()).toHaveProperty('scope');
    expect(await use('https://other.test/mcp')).toEqual({ refused: 'resource' });
    await sql.query('delete from public.memberships where user_id = $1', [actor.user_id]);
    expect([await live(), await use()]).toEqual([{ refused: 'not_a_member' }, { refused: 'not_a_member' }]);
    await clock.advance({ seconds: 3_601 });
    await sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'owner')`, [
      actor.tenant_id,
      actor.user_id,
    ]);
    expect(await live()).toEqual({ refused: 'expired' });
    await clock.advance({ seconds: 30 * 86_400 });
    expect(await use()).toEqual({ refused: 'expired' });
  });
});

test('what is over is deleted when a server starts, a client that nobody authorized in a day among it', async ({
  users,
  sql,
}) => {
  const store = authStore(users.owner.db);
  const { client_id: authorized } = await connect(store, users.owner.actor);
  const [forgotten, fresh] = [await register(store), await register(store)];
  await sql.query(`update app.oauth_clients set created_at = now() - interval '25 hours' where client_id = any ($1)`, [
    [authorized, forgotten],
  ]);
  const isThere = async (client_id: string) => 'client_id' in (await store.getClient(client_id, {}));

  const stop = collectExpired(store, createLog('silent'));
  await vi.waitUntil(async () => !(await isThere(forgotten)), 10_000);
  stop();

  expect([await isThere(authorized), await isThere(fresh)]).toEqual([true, true]);
});
