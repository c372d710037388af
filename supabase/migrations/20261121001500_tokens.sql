-- Tokens of remote clients. The columns hold hashes, never the tokens.

create table public.oauth_tokens (
  tenant_id uuid not null references public.tenants,
  id uuid not null,
  user_id uuid not null references public.users,
  access_token text not null check (access_token ~ '^[0-9a-f]{64}$'),
  refresh_token text check (refresh_token ~ '^[0-9a-f]{64}$'),
  token_type text not null default 'Bearer',
  expires_at timestamptz not null,
  scope text not null default '',
  client_id text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  revoked_at timestamptz,
  primary key (tenant_id, id)
);
create unique index idx_oauth_tokens_access_token on public.oauth_tokens (access_token);
create unique index idx_oauth_tokens_refresh_token on public.oauth_tokens (refresh_token) where refresh_token is not null;
create index idx_oauth_tokens_user_id on public.oauth_tokens (user_id) where revoked_at is null;
