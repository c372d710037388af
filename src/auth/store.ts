import * as z from 'zod';
import type { Database } from '../db/database.ts';
import { sqlFunction } from '../db/sql-function.ts';
import {
  AuthorizationRequest,
  Client,
  found,
  Issued,
  LiveToken,
  Nothing,
  refused,
  Session,
  Workspace,
} from './answers.ts';

/**
 * The authorization server's storage, one typed call per SQL function; the contracts are above the functions in
 * supabase/code: tokens, authorization, accounts, access. `from` is the caller: `{ ip }` while it is unknown.
 * Secrets never come here, only their hashes (`hashSecret`). Raises `unavailable` and `internal`; a refusal is an
 * answer.
 */
export type Store = ReturnType<typeof authStore>;

/** The address that a request comes from, and the person if known. */
export type From = { ip?: string | undefined };
export type Person = From & { user_id: string; tenant_id?: string };
/** The workspace that a secret names: only this one is searched for it. */
export type InWorkspace = From & { tenant_id: string };

export type NewClient = Omit<Client, 'created_at' | 'fetched_at' | 'fresh_until' | 'authorized_at'> & {
  fresh_seconds?: number;
};

/** Hashes and lifetimes of a new pair of tokens. */
export type Minted = {
  id: string;
  access_hash: string;
  refresh_hash: string;
  access_seconds: number;
  refresh_seconds: number;
};
export type Identity = { issuer: string; subject: string; name?: string; email?: string; email_verified?: boolean };

const TOKEN_REFUSALS = ['unknown', 'client', 'revoked', 'expired', 'reused', 'resource'] as const;
const INVITATION_REFUSALS = [
  'invitation_unknown',
  'invitation_withdrawn',
  'invitation_used',
  'invitation_expired',
  'invitation_lapsed',
  'invitation_of_another',
] as const;
const CONSENT_REFUSALS = ['expired', 'other_browser', 'other_user'] as const;
const Lasting = z.object({ expires_at: z.string() });

export function authStore(db: Database) {
  const as: As = (from) => ({ db, actor: { user_id: '', ...from } });
  return { ...accessCalls(as), ...consentCalls(as), ...personCalls(as), ...loginCalls(as) };
}

type As = (from: From | Person | InWorkspace) => { db: Database; actor: Person };

const authenticateToken = sqlFunction(
  'authenticate_token',
  z.union([LiveToken, refused('unknown', 'audience', 'revoked', 'expired', 'not_a_member')]),
);
const saveClient = sqlFunction('save_client', Client);
const getClient = sqlFunction('get_client', found(Client));
const redeemCode = sqlFunction(
  'redeem_code',
  z.union([Issued, refused(...TOKEN_REFUSALS, 'redirect_uri', 'code_challenge')]),
);
const refreshToken = sqlFunction(
  'refresh_token',
  z.union([Issued, refused(...TOKEN_REFUSALS, 'stolen', 'scope', 'not_a_member')]),
);
const revokeToken = sqlFunction('revoke_token', z.object({ revoked: z.boolean() }));

function accessCalls(as: As) {
  return {
    authenticateToken: (token: { token_hash: string; resource: string }, from: InWorkspace) =>
      authenticateToken(as(from), token),
    saveClient: (client: NewClient, from: From) => saveClient(as(from), { client }),
    getClient: (client_id: string, from: From) => getClient(as(from), { client_id }),
    redeemCode: (
      code: {
        code_hash: string;
        presented: { client_id: string; redirect_uri: string | null; code_challenge: string; resource?: string };
        minted: Minted;
      },
      from: InWorkspace,
    ) => redeemCode(as(from), code),
    refreshToken: (
      token: {
        token_hash: string;
        presented: { client_id: string; scope?: string; resource?: string; grace_seconds: number };
        minted: Minted;
      },
      from: InWorkspace,
    ) => refreshToken(as(from), token),
    revokeToken: (token: { token_hash: string; client_id?: string }, from: InWorkspace) => revokeToken(as(from), token),
  };
}

const startAuthorization = sqlFunction('start_authorization', Lasting);
const openAuthorization = sqlFunction(
  'open_authorization',
  z.union([
    z.object({ request: AuthorizationRequest, client: Client.nullable(), workspaces: z.array(Workspace) }),
    refused(...CONSENT_REFUSALS),
  ]),
);
const trustsClient = sqlFunction('trusts_client', z.object({ trusted: z.boolean() }));
const answerAuthorization = sqlFunction(
  'answer_authorization',
  z.union([
    z.object({ redirect_uri: z.string(), state: z.string().optional(), allowed: z.boolean() }),
    refused(...CONSENT_REFUSALS, 'not_opened', 'blocked', 'scope', 'role'),
  ]),
);

function consentCalls(as: As) {
  return {
    startAuthorization: (
      request: Omit<AuthorizationRequest, 'expires_at'> & {
        request_hash: string;
        txn_hash: string;
        code_challenge: string;
        ttl_seconds: number;
      },
      from: From,
    ) => startAuthorization(as(from), { request }),
    openAuthorization: (request: { request_hash: string; txn_hash: string }, person: Person) =>
      openAuthorization(as(person), request),
    /** Tells whether the person currently admits the client, with its answers going to that host. */
    trustsClient: (client: { client_id: string; redirect_host: string }, person: Person) =>
      trustsClient(as(person), client),
    answerAuthorization: (
      answer: {
        request_hash: string;
        txn_hash: string;
        decision:
          | { allow: false }
          | {
              allow: true;
              scope: string;
              grant_id: string;
              code_hash: string;
              redirect_host: string;
              code_seconds: number;
              grant_seconds: number;
            };
      },
      person: Person,
    ) => answerAuthorization(as(person), answer),
  };
}

const admitIdentity = sqlFunction(
  'admit_identity',
  z.union([z.object({ user_id: z.string(), created: z.boolean() }), refused('sign_up_closed', ...INVITATION_REFUSALS)]),
);
const acceptInvitation = sqlFunction('accept_invitation', z.union([Workspace, refused(...INVITATION_REFUSALS)]));
const startSession = sqlFunction('start_session', Lasting);
const getSession = sqlFunction('get_session', found(Session));
const endSession = sqlFunction('end_session', z.object({ ended: z.int() }));
const setPassword = sqlFunction('set_password', Nothing);
const getPassword = sqlFunction('get_password', z.object({ password_hash: z.string().optional() }));
const saveLoginCode = sqlFunction('save_login_code', Lasting);
const takeLoginCode = sqlFunction('take_login_code', z.object({ user_id: z.string().optional() }));

function personCalls(as: As) {
  return {
    admitIdentity: (
      identity: Identity,
      terms: { open?: boolean; link_email?: boolean; invitation_hash?: string },
      from: From,
    ) => admitIdentity(as(from), { identity, terms }),
    acceptInvitation: (invitation_hash: string, person: Person) => acceptInvitation(as(person), { invitation_hash }),
    startSession: (
      session: { session_hash: string; amr: string[]; idle_seconds: number; max_seconds: number },
      person: Person,
    ) => startSession(as(person), { session }),
    getSession: (session_hash: string, from: From) => getSession(as(from), { session_hash }),
    endSession: (session_hash: string, { everywhere = false }: { everywhere?: boolean }, from: From) =>
      endSession(as(from), { session_hash, everywhere }),
    setPassword: (password_hash: string, person: Person) => setPassword(as(person), { password_hash }),
    getPassword: (person: Person) => getPassword(as(person), {}),
    saveLoginCode: (code: { code_hash: string; ttl_seconds: number }, person: Person) =>
      saveLoginCode(as(person), code),
    takeLoginCode: (code_hash: string, from: From) => takeLoginCode(as(from), { code_hash }),
  };
}

const startLogin = sqlFunction('start_login', Nothing);
const takeLogin = sqlFunction('take_login', z.object({ provider: z.string().optional(), next: z.string().optional() }));
const takeAttempt = sqlFunction('take_attempt', z.object({ allowed: z.boolean(), retry_after_seconds: z.int() }));
const takeKnownAttempt = sqlFunction('take_known_attempt', z.object({ known: z.boolean() }));
const admitBrowser = sqlFunction('admit_browser', Nothing);
const recordEvent = sqlFunction('record_auth_event', Nothing);
const saveServedUrl = sqlFunction('save_served_url', Nothing);
const listServedUrls = sqlFunction(
  'list_served_urls',
  z.object({ served: z.array(z.object({ public_url: z.string(), served_at: z.string() })) }),
);
const purge = sqlFunction('purge_auth', z.record(z.string(), z.int()));

function loginCalls(as: As) {
  return {
    startLogin: (
      login: { state_hash: string; txn_hash: string; provider: string; next: string; ttl_seconds: number },
      from: From,
    ) => startLogin(as(from), { login }),
    takeLogin: (login: { state_hash: string; txn_hash: string }, from: From) => takeLogin(as(from), login),

    /** Takes one of a bucket's tries in a window, counted over all replicas, e.g. `login:2001:db8::/64`. */
    takeAttempt: (attempt: { bucket: string; attempts_max: number; window_seconds: number }, from: From) =>
      takeAttempt(as(from), attempt),
    /** Takes one of the tries of a browser that signed in to the account before. */
    takeKnownAttempt: (attempt: { account: string; browser_hash: string; attempts_max: number }, from: From) =>
      takeKnownAttempt(as(from), attempt),
    admitBrowser: (
      admitted: {
        account: string;
        browser: { browser_hash: string; replaces_hash?: string; ttl_seconds: number };
        buckets: string[];
      },
      from: From,
    ) => admitBrowser(as(from), admitted),
    recordEvent: (
      event: { type: string; user_id?: string; client_id?: string; data?: Record<string, unknown> },
      from: From,
    ) => recordEvent(as(from), { event }),
    saveServedUrl: (public_url: string) => saveServedUrl(as({}), { public_url }),
    /** Lists the addresses at which this database is served with authorization, the newest first. */
    listServedUrls: () => listServedUrls(as({}), {}),
    purge: () => purge(as({}), {}),
  };
}
