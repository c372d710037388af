import { createHash, randomUUID } from 'node:crypto';
import type { Actor, Database } from '../../src/db/database.ts';
import { newId } from '../../src/events/ids.ts';

export const RESOURCE = 'https://cairn.test/mcp';
export const REDIRECT = 'http://localhost:9999/callback';
export const CHALLENGE = createHash('sha256').update('verifier').digest('base64url');

/** The secrets of what was made, hashed; for calls that name them. */
export type Access = Awaited<ReturnType<typeof fillAuthorization>>;

/** Makes at least one row in each table of authorization, by the user of a workspace. */
export async function fillAuthorization(db: Database, { user_id = '', tenant_id = '' }: Actor) {
  const person = { user_id, tenant_id };
  const hash = (what: string) => createHash('sha256').update(`${tenant_id} ${what}`).digest('hex');
  const minted = (what: string) => ({
    id: newId(),
    access_hash: hash(`access ${what}`),
    refresh_hash: hash(`refresh ${what}`),
    access_seconds: 3_600,
    refresh_seconds: 86_400,
  });
  const client_id = randomUUID();
  const txn_hash = hash('txn');

  async function consent(what: string): Promise<void> {
    const request = {
      ...{ request_hash: hash(what), txn_hash, client_id, redirect_uri: REDIRECT, scope: 'tasks:read' },
      ...{ resource: RESOURCE, code_challenge: CHALLENGE, ttl_seconds: 600 },
    };
    await db.call('start_authorization', { request }, { user_id: '' });
    await db.call('open_authorization', { request_hash: hash(what), txn_hash }, person);
  }

  const allow = (what: string) => ({
    ...{ allow: true, scope: 'tasks:read', grant_id: newId(), code_hash: hash(`code ${what}`) },
    ...{ redirect_host: 'localhost:9999', code_seconds: 600, grant_seconds: 86_400 },
  });
  const presented = { client_id, redirect_uri: REDIRECT, code_challenge: CHALLENGE };
  const client = { client_id, kind: 'dcr', client_name: 'A client', redirect_uris: [REDIRECT] };
  await db.call('save_client', { client: { ...client, token_endpoint_auth_method: 'none' } }, { user_id: '' });
  for (const what of ['first', 'second', 'third']) await consent(what);
  for (const what of ['first', 'second']) {
    await db.call('answer_authorization', { request_hash: hash(what), txn_hash, decision: allow(what) }, person);
  }
  await db.call(
    'redeem_code',
    { code_hash: hash('code first'), presented, minted: minted('first') },
    { user_id: '', tenant_id },
  );
  await db.call('set_password', { password_hash: 'x'.repeat(40) }, person);
  const session = { session_hash: hash('session'), amr: ['pwd'], idle_seconds: 3_600, max_seconds: 86_400 };
  await db.call('start_session', { session }, person);
  await db.call('save_login_code', { code_hash: hash('login'), ttl_seconds: 600 }, person);
  const login = { state_hash: hash('state'), txn_hash, provider: 'test', next: '/', ttl_seconds: 600 };
  await db.call('start_login', { login }, { user_id: '' });
  const bucket = `login:${client_id}`;
  await db.call('take_attempt', { bucket, attempts_max: 5, window_seconds: 60 }, { user_id: '' });
  const identity = { issuer: 'https://idp.test', subject: client_id, name: 'ada' };
  await db.call('admit_identity', { identity, terms: { open: true } }, { user_id: '' });
  const invitation = { id: newId(), invitation_hash: hash('invitation'), role: 'member', ttl_seconds: 600 };
  await db.call('invite_member', { invitation }, person);
  await db.call('block_client', { client_id: randomUUID() }, person);
  const pat = {
    id: newId(),
    token_hash: hash('pat'),
    name: 'A token',
    scope: 'tasks:read',
    resource: RESOURCE,
    ttl_seconds: 600,
  };
  return { person, client_id, identity, bucket, presented, resource: RESOURCE, pat, txn_hash, hash, minted, allow };
}
