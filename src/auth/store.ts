import type { Actor, Database } from '../db/database.ts';
import type { AuthFunctionName } from '../db/functions.ts';

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

export type Client = {
  client_id: string;
  kind: 'static' | 'dcr' | 'cimd';
  client_name: string;
  client_uri?: string;
  redirect_uris: string[];
  token_endpoint_auth_method: 'none' | 'client_secret_basic' | 'client_secret_post';
  application_type?: 'web' | 'native';
  client_secret_hash?: string;
  created_at: string;
  fetched_at?: string;
  fresh_until?: string;
  authorized_at?: string;
};

export type NewClient = Omit<Client, 'created_at' | 'fetched_at' | 'fresh_until' | 'authorized_at'> & {
  fresh_seconds?: number;
};

export type Role = 'owner' | 'admin' | 'member' | 'viewer';
export type Workspace = { tenant_id: string; name: string; role: Role };
export type Session = {
  user_id: string;
  name: string;
  email?: string;
  /** How the person proved who they are (RFC 8176). */
  amr: string[];
  auth_at: string;
  expires_at: string;
  workspaces: Workspace[];
};

export type AuthorizationRequest = {
  client_id: string;
  redirect_uri: string;
  scope: string;
  resource: string;
  state?: string;
  expires_at: string;
};

/** A valid access token; `scope` is what was granted, `role` the user's current one. */
export type LiveToken = {
  token_id: string;
  grant_id?: string;
  kind: 'oauth' | 'pat';
  user_id: string;
  tenant_id: string;
  role: Role;
  scope: string;
  resource: string;
  /** The only project that it reaches. */
  project_id?: string;
  client_id: string;
  client_name?: string;
  expires_at: string;
};

/** Hashes and lifetimes of a new pair of tokens. */
export type Minted = {
  id: string;
  access_hash: string;
  refresh_hash: string;
  access_seconds: number;
  refresh_seconds: number;
};
export type Issued = { token_id: string; scope: string; resource: string; expires_in: number };
export type Refused<Why extends string> = { refused: Why };

export type Identity = { issuer: string; subject: string; name?: string; email?: string; email_verified?: boolean };

type TokenRefusal = 'unknown' | 'client' | 'revoked' | 'expired' | 'reused' | 'resource';
type InvitationRefusal =
  | 'invitation_unknown'
  | 'invitation_withdrawn'
  | 'invitation_used'
  | 'invitation_expired'
  | 'invitation_lapsed'
  | 'invitation_of_another';
type ConsentRefusal = 'expired' | 'other_browser' | 'other_user';

export function authStore(db: Database) {
  const call: Call = (fn, args, from) => db.call(fn, args, { user_id: '', ...from } satisfies Actor);
  return { ...accessCalls(call), ...consentCalls(call), ...personCalls(call), ...loginCalls(call) };
}

type Call = <T>(fn: AuthFunctionName, args: Record<string, unknown>, from: From | Person | InWorkspace) => Promise<T>;

function accessCalls(call: Call) {
  return {
    authenticateToken: (token: { token_hash: string; resource: string }, from: InWorkspace) =>
      call<LiveToken | Refused<'unknown' | 'audience' | 'revoked' | 'expired' | 'not_a_member'>>(
        'authenticate_token',
        token,
        from,
      ),

    // Clients. `get_client` answers {} for an unknown one.
    saveClient: (client: NewClient, from: From) => call<Client>('save_client', { client }, from),
    getClient: (client_id: string, from: From) =>
      call<Client | Record<string, never>>('get_client', { client_id }, from),

    redeemCode: (
      code: {
        code_hash: string;
        presented: { client_id: string; redirect_uri: string | null; code_challenge: string; resource?: string };
        minted: Minted;
      },
      from: InWorkspace,
    ) => call<Issued | Refused<TokenRefusal | 'redirect_uri' | 'code_challenge'>>('redeem_code', code, from),
    refreshToken: (
      token: {
        token_hash: string;
        presented: { client_id: string; scope?: string; resource?: string; grace_seconds: number };
        minted: Minted;
      },
      from: InWorkspace,
    ) => call<Issued | Refused<TokenRefusal | 'stolen' | 'scope' | 'not_a_member'>>('refresh_token', token, from),
    revokeToken: (token: { token_hash: string; client_id?: string }, from: InWorkspace) =>
      call<{ revoked: boolean }>('revoke_token', token, from),
  };
}

function consentCalls(call: Call) {
  return {
    startAuthorization: (
      request: Omit<AuthorizationRequest, 'expires_at'> & {
        request_hash: string;
        txn_hash: string;
        code_challenge: string;
        ttl_seconds: number;
      },
      from: From,
    ) => call<{ expires_at: string }>('start_authorization', { request }, from),
    openAuthorization: (request: { request_hash: string; txn_hash: string }, person: Person) =>
      call<{ request: AuthorizationRequest; client: Client | null; workspaces: Workspace[] } | Refused<ConsentRefusal>>(
        'open_authorization',
        request,
        person,
      ),
    /** Tells whether the person currently admits the client, with its answers going to that host. */
    trustsClient: (client: { client_id: string; redirect_host: string }, person: Person) =>
      call<{ trusted: boolean }>('trusts_client', client, person),
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
    ) =>
      call<
        | { redirect_uri: string; state?: string; allowed: boolean }
        | Refused<ConsentRefusal | 'not_opened' | 'blocked' | 'scope' | 'role'>
      >('answer_authorization', answer, person),
  };
}

function personCalls(call: Call) {
  return {
    admitIdentity: (
      identity: Identity,
      terms: { open?: boolean; link_email?: boolean; invitation_hash?: string },
      from: From,
    ) =>
      call<{ user_id: string; created: boolean } | Refused<'sign_up_closed' | InvitationRefusal>>(
        'admit_identity',
        { identity, terms },
        from,
      ),
    acceptInvitation: (invitation_hash: string, person: Person) =>
      call<Workspace | Refused<InvitationRefusal>>('accept_invitation', { invitation_hash }, person),
    startSession: (
      session: { session_hash: string; amr: string[]; idle_seconds: number; max_seconds: number },
      person: Person,
    ) => call<{ expires_at: string }>('start_session', { session }, person),
    getSession: (session_hash: string, from: From) =>
      call<Session | Record<string, never>>('get_session', { session_hash }, from),
    endSession: (session_hash: string, { everywhere = false }: { everywhere?: boolean }, from: From) =>
      call<{ ended: number }>('end_session', { session_hash, everywhere }, from),
    setPassword: (password_hash: string, person: Person) =>
      call<Record<string, never>>('set_password', { password_hash }, person),
    getPassword: (person: Person) => call<{ password_hash?: string }>('get_password', {}, person),
    saveLoginCode: (code: { code_hash: string; ttl_seconds: number }, person: Person) =>
      call<{ expires_at: string }>('save_login_code', code, person),
    takeLoginCode: (code_hash: string, from: From) =>
      call<{ user_id: string } | Record<string, never>>('take_login_code', { code_hash }, from),
  };
}

function loginCalls(call: Call) {
  return {
    startLogin: (
      login: { state_hash: string; txn_hash: string; provider: string; next: string; ttl_seconds: number },
      from: From,
    ) => call<Record<string, never>>('start_login', { login }, from),
    takeLogin: (login: { state_hash: string; txn_hash: string }, from: From) =>
      call<{ provider: string; next: string } | Record<string, never>>('take_login', login, from),

    /** Takes one of a bucket's tries in a window, counted over all replicas, e.g. `login:2001:db8::/64`. */
    takeAttempt: (attempt: { bucket: string; attempts_max: number; window_seconds: number }, from: From) =>
      call<{ allowed: boolean; retry_after_seconds: number }>('take_attempt', attempt, from),
    /** Takes one of the tries of a browser that signed in to the account before. */
    takeKnownAttempt: (attempt: { account: string; browser_hash: string; attempts_max: number }, from: From) =>
      call<{ known: boolean }>('take_known_attempt', attempt, from),
    admitBrowser: (
      admitted: {
        account: string;
        browser: { browser_hash: string; replaces_hash?: string; ttl_seconds: number };
        buckets: string[];
      },
      from: From,
    ) => call<Record<string, never>>('admit_browser', admitted, from),
    recordEvent: (
      event: { type: string; user_id?: string; client_id?: string; data?: Record<string, unknown> },
      from: From,
    ) => call<Record<string, never>>('record_auth_event', { event }, from),
    saveServedUrl: (public_url: string) => call<Record<string, never>>('save_served_url', { public_url }, {}),
    /** Lists the addresses at which this database is served with authorization, the newest first. */
    listServedUrls: () => call<{ served: { public_url: string; served_at: string }[] }>('list_served_urls', {}, {}),
    purge: () => call<Record<string, number>>('purge_auth', {}, {}),
  };
}
