import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { expect, vi } from 'vitest';
import { mintSecret, mintWorkspaceSecret, type Secret } from '../../src/auth/secrets.ts';
import type { From, Minted, Person, Store } from '../../src/auth/store.ts';
import { newId } from '../../src/events/ids.ts';
import { CHALLENGE, REDIRECT, RESOURCE } from './fill-authorization.ts';

// Here a secret goes by its hash; test/remote/server-attacks.test.ts has the workspace in it.
export const mint = (kind: 'access' | 'refresh' | 'code') => mintWorkspaceSecret(kind, randomUUID());
export const workspaceOf = ({ tenant_id = '' }: Person) => ({ tenant_id });

export function minted(access = mint('access'), refresh = mint('refresh')): Minted {
  const hashes = { access_hash: access.hash, refresh_hash: refresh.hash };
  return { id: newId(), ...hashes, access_seconds: 3_600, refresh_seconds: 2_592_000 };
}

// The processes that wait for a given one, directly or through another.
const WAITING = `
  with recursive waiting as (
    select a.pid from pg_stat_activity a where $1 = any (pg_blocking_pids(a.pid))
    union
    select a.pid from pg_stat_activity a join waiting w on w.pid = any (pg_blocking_pids(a.pid)))
  select from waiting`;

/** Has all of them wait for a row of a grant, so that none is done before the last has begun; then lets them go on. */
export async function atOnce<T>(sql: pg.Pool, client_id: string, works: (() => Promise<T>)[]): Promise<T[]> {
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

export async function register(store: Store): Promise<string> {
  const client_id = `dcr_${randomUUID()}`;
  const said = { client_name: 'Client', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' as const };
  await store.saveClient({ client_id, kind: 'dcr', ...said }, {});
  return client_id;
}

export async function consent(
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

export async function connect(store: Store, person: Person, from: From = {}) {
  const { client_id, code } = await consent(store, person);
  const [access, refresh] = [mint('access'), mint('refresh')];
  const presented = { client_id, redirect_uri: REDIRECT, code_challenge: CHALLENGE, resource: RESOURCE };
  const issued = await store.redeemCode(
    { code_hash: code.hash, presented, minted: minted(access, refresh) },
    { ...workspaceOf(person), ...from },
  );
  expect(issued).toMatchObject({ scope: 'tasks:read tasks:write', expires_in: 3_600 });
  return { client_id, code, presented, access, refresh };
}
