-- `static` was added by an admin, `dcr` registered itself (RFC 7591), `cimd` is named by the URL of its document.
create table app.oauth_clients (
  tenant_id uuid not null,
  client_id text not null check (char_length(client_id) between 1 and 500),
  kind text not null check (kind in ('static', 'dcr', 'cimd')),
  client_name text not null check (char_length(client_name) between 1 and 100),
  client_uri text check (char_length(client_uri) <= 500),
  redirect_uris text[] not null check (cardinality(redirect_uris) between 1 and 20),
  token_endpoint_auth_method text not null default 'none'
    check (token_endpoint_auth_method in ('none', 'client_secret_basic', 'client_secret_post')),
  client_secret_hash text check (client_secret_hash ~ '^[0-9a-f]{64}$'),
  application_type text check (application_type in ('web', 'native')),
  created_ip inet,
  created_at timestamptz not null default now(),
  fetched_at timestamptz,
  fresh_until timestamptz,
  authorized_at timestamptz,
  last_used_at timestamptz,
  primary key (tenant_id, client_id),
  check ((token_endpoint_auth_method = 'none') = (client_secret_hash is null))
);

create unique index idx_oauth_clients_client_id on app.oauth_clients (client_id);

-- A client that a workspace does not want: no consent, and its grants there were revoked.
create table app.client_blocks (
  tenant_id uuid not null references public.tenants,
  client_id text not null check (char_length(client_id) <= 500),
  blocked_by uuid not null references public.users,
  created_at timestamptz not null default now(),
  primary key (tenant_id, client_id)
);

-- The consent record: who let which client do what, where its code went.
create table app.oauth_grants (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  user_id uuid not null references public.users,
  client_id text not null,
  client_name text not null,
  client_kind text not null,
  redirect_host text not null,
  resource text not null,
  scope text not null,
  created_ip inet,
  created_at timestamptz not null,
  last_used_at timestamptz,
  last_used_ip inet,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_reason text check (char_length(revoked_reason) <= 200),
  primary key (tenant_id, id)
);

create index idx_oauth_grants_user_id on app.oauth_grants (tenant_id, user_id) where revoked_at is null;

create index idx_oauth_grants_client_id on app.oauth_grants (client_id) where revoked_at is null;

create table app.oauth_codes (
  tenant_id uuid not null,
  code_hash text not null check (code_hash ~ '^[0-9a-f]{64}$'),
  grant_id uuid not null,
  redirect_uri text not null,
  code_challenge text not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  primary key (tenant_id, code_hash),
  foreign key (tenant_id, grant_id) references app.oauth_grants on delete cascade
);

-- A row is one access token with its refresh token; a refresh adds a row to the grant. A personal access token has
-- neither grant nor refresh, and may be limited to a project. No key binds it: a replay takes projects away for a
-- moment, and without its project it reaches nothing.
create table public.oauth_tokens (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  user_id uuid not null references public.users,
  kind text not null default 'oauth' check (kind in ('oauth', 'pat')),
  name text check (char_length(name) between 1 and 100),
  grant_id uuid,
  access_token text not null check (access_token ~ '^[0-9a-f]{64}$'),
  refresh_token text check (refresh_token ~ '^[0-9a-f]{64}$'),
  token_type text not null default 'Bearer',
  expires_at timestamptz not null,
  refresh_expires_at timestamptz,
  refresh_used_at timestamptz,
  refresh_uses integer not null default 0,
  scope text not null default '',
  resource text not null,
  project_id uuid,
  client_id text not null,
  created_ip inet,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_used_at timestamptz,
  last_used_ip inet,
  revoked_at timestamptz,
  -- The token whose refresh made this one; null for the first of a grant.
  parent_id uuid,
  primary key (tenant_id, id),
  foreign key (tenant_id, grant_id) references app.oauth_grants on delete cascade,
  check ((kind = 'pat') = (grant_id is null)),
  check ((kind = 'pat') = (name is not null)),
  check (kind = 'pat' or project_id is null),
  check ((refresh_token is null) = (refresh_expires_at is null))
);

create unique index idx_oauth_tokens_access_token on public.oauth_tokens (tenant_id, access_token);

create unique index idx_oauth_tokens_refresh_token on public.oauth_tokens (tenant_id, refresh_token)
  where refresh_token is not null;

create index idx_oauth_tokens_user_id on public.oauth_tokens (user_id) where revoked_at is null;

create index idx_oauth_tokens_grant_id on public.oauth_tokens (tenant_id, grant_id);

-- The audit trail of access: append only, no secret in it.
create table app.auth_events (
  tenant_id uuid not null,
  id uuid not null default app.uuid_v7(),
  at timestamptz not null,
  type text not null check (type ~ '^[a-z]+\.[a-z_]+$'),
  user_id uuid,
  client_id text,
  subject_id uuid,
  ip inet,
  data jsonb not null default '{}' check (pg_column_size(data) <= 4096),
  primary key (tenant_id, id)
);

create index idx_auth_events_subject_id on app.auth_events (tenant_id, subject_id, at) where subject_id is not null;

-- A token with what its grant adds, and what speaks against its use.
create type app.bearer as (
  id uuid,
  kind text,
  user_id uuid,
  grant_id uuid,
  role text,
  scope text,
  project_id uuid,
  client_id text,
  client_name text,
  expires_at timestamptz,
  last_used_at timestamptz,
  refused text
);

-- Asking a person for a grant: the request that a client sent, its consent, its code.
-- Bound to the browser that began it by the hash of a cookie, and to the user who opened it first.
create table app.authorization_requests (
  tenant_id uuid not null,
  request_hash text not null check (request_hash ~ '^[0-9a-f]{64}$'),
  txn_hash text not null check (txn_hash ~ '^[0-9a-f]{64}$'),
  client_id text not null,
  redirect_uri text not null check (char_length(redirect_uri) <= 2000),
  scope text not null,
  resource text not null,
  state text check (char_length(state) <= 2000),
  code_challenge text not null check (char_length(code_challenge) between 43 and 128),
  user_id uuid,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (tenant_id, request_hash)
);

create index idx_authorization_requests_expires_at on app.authorization_requests (expires_at);

-- People: how they prove who they are, their browser sessions, and who belongs to a workspace. An account is keyed by
-- who vouches for it and under which subject (OpenID Connect Core, section 5.7), never by e-mail.
create table app.user_identities (
  tenant_id uuid not null,
  issuer text not null check (char_length(issuer) between 1 and 500),
  subject text not null check (char_length(subject) between 1 and 500),
  user_id uuid not null references public.users,
  email text check (char_length(email) <= 320),
  email_verified boolean not null default false,
  created_at timestamptz not null,
  last_login_at timestamptz not null,
  primary key (tenant_id, issuer, subject)
);

create index idx_user_identities_user_id on app.user_identities (user_id);

create index idx_user_identities_email on app.user_identities (tenant_id, lower(email)) where email_verified;

-- What belongs to a user and no workspace lies in the personal one, whose id is the user's own.
create table app.auth_sessions (
  tenant_id uuid not null references public.tenants,
  session_hash text not null check (session_hash ~ '^[0-9a-f]{64}$'),
  user_id uuid not null references public.users,
  amr text[] not null,
  auth_at timestamptz not null,
  last_seen_at timestamptz not null,
  idle_seconds integer not null check (idle_seconds between 60 and 604800),
  expires_at timestamptz not null,
  created_ip inet,
  primary key (tenant_id, session_hash)
);

create unique index idx_auth_sessions_session_hash on app.auth_sessions (session_hash);

create table app.passwords (
  tenant_id uuid not null references public.tenants,
  user_id uuid not null references public.users,
  password_hash text not null check (char_length(password_hash) between 20 and 500),
  updated_at timestamptz not null,
  primary key (tenant_id, user_id)
);

-- A link that signs a user in once: printed by the server at its first run, or by `cairn auth owner login-link`.
create table app.login_codes (
  tenant_id uuid not null references public.tenants,
  code_hash text not null check (code_hash ~ '^[0-9a-f]{64}$'),
  user_id uuid not null references public.users,
  expires_at timestamptz not null,
  primary key (tenant_id, code_hash)
);

create unique index idx_login_codes_code_hash on app.login_codes (code_hash);

-- A login that went to another provider and has not come back; bound to the browser by the hash of a cookie. Of the
-- provider's secrets nothing is kept: nonce and PKCE verifier are derived from the cookie.
create table app.login_states (
  tenant_id uuid not null,
  state_hash text not null check (state_hash ~ '^[0-9a-f]{64}$'),
  txn_hash text not null check (txn_hash ~ '^[0-9a-f]{64}$'),
  provider text not null check (char_length(provider) <= 100),
  next text not null check (char_length(next) <= 2000),
  expires_at timestamptz not null,
  primary key (tenant_id, state_hash)
);

create table app.auth_attempts (
  tenant_id uuid not null,
  -- In the order of its bytes, so that the primary key finds the buckets that begin alike.
  bucket text collate "C" not null check (char_length(bucket) between 1 and 400),
  count integer not null,
  ends_at timestamptz not null,
  primary key (tenant_id, bucket)
);

create table app.invitations (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  invitation_hash text not null check (invitation_hash ~ '^[0-9a-f]{64}$'),
  email text check (char_length(email) <= 320),
  role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  invited_by uuid not null references public.users,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  accepted_by uuid references public.users,
  accepted_at timestamptz,
  revoked_at timestamptz,
  primary key (tenant_id, id)
);

create unique index idx_invitations_invitation_hash on app.invitations (invitation_hash);

create index idx_oauth_tokens_parent_id on public.oauth_tokens (tenant_id, parent_id) where parent_id is not null;

-- Where servers with authorization are reached, so that tokens and invitations are made for an address that somebody
-- serves; and the names of programs beside what they did.
create table app.served_urls (
  tenant_id uuid not null,
  public_url text not null check (char_length(public_url) <= 500 and public_url ~ '^https?://[^/?#]+$'),
  served_at timestamptz not null,
  primary key (tenant_id, public_url)
);
