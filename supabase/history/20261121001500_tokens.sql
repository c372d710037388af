-- Remote access: clients, the grants people gave them, and the tokens of a grant. Of every secret only the SHA-256 is stored, as 64 hex digits.

-- What belongs to no workspace yet (a client that registered itself, a login that has not happened) carries this tenant.
create function app.nobody() returns uuid language sql immutable as $$ select '00000000-0000-0000-0000-000000000000'::uuid $$;

-- A row may be found by its secret before its workspace is known: policies let the hash that was presented open that one row.
create function app.presented() returns text language sql stable as $$
  select nullif(current_setting('app.presented', true), '')
$$;

-- The project that the token of the call is limited to; null where it is not.
create function app.project() returns uuid language sql stable as $$
  select nullif(current_setting('app.project_id', true), '')::uuid
$$;

-- Whether the call reaches what belongs to a project. In these words because without a limit the planner then takes it to hold for every row,
-- and plans as if it were not there.
create function app.reaches(project_id uuid) returns boolean language sql stable as $$
  select (project_id <> app.project()) is not true
$$;

-- For what concerns the workspace, not one project. Raises forbidden where the token is limited to one.
create function app.refuse_limited(actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_slug text;
begin
  if actor.project_id is not null then
    select p.slug into v_slug from public.projects p where p.tenant_id = actor.tenant_id and p.id = actor.project_id;
    perform app.fail('forbidden', format('This token is limited to %s.', coalesce('the project ' || v_slug, 'a project that is gone')), null,
      'Other projects, and what concerns all of them, need a token without --project. Ask the person you work for.');
  end if;
end
$$;

-- For verbs of the server's own role alone, before anybody is known: acts in no workspace. Raises forbidden.
create function app.enter_server(actor jsonb, secret_hash text default null)
  returns app.actor
  language plpgsql
  set search_path = ''
as $$
declare
  v_actor app.actor;
begin
  if not app.caller_is_server() then
    perform app.fail('forbidden', 'Only the server does this.');
  end if;
  v_actor.tenant_id := app.nobody();
  v_actor.client := left(nullif(actor ->> 'client', ''), 500);
  perform set_config('app.tenant_id', v_actor.tenant_id::text, true), set_config('app.user_id', '', true),
    set_config('app.project_id', '', true), set_config('app.presented', coalesce(secret_hash, ''), true);
  return v_actor;
end
$$;

-- The same in the workspace that a secret names: its hash is looked for there and nowhere else. Raises forbidden.
create function app.enter_workspace(actor jsonb)
  returns app.actor
  language plpgsql
  set search_path = ''
as $$
declare
  v_actor app.actor := app.enter_server(actor);
begin
  v_actor.tenant_id := coalesce(app.as_uuid(actor ->> 'tenant_id'), v_actor.tenant_id);
  perform set_config('app.tenant_id', v_actor.tenant_id::text, true);
  return v_actor;
end
$$;

-- The same for a person whom the server has authenticated, in a workspace where the role is enough, and with no limit. Raises forbidden,
-- unauthenticated.
create function app.enter_person(actor jsonb, role_min text default 'viewer')
  returns app.actor
  language plpgsql
  set search_path = ''
as $$
declare
  v_actor app.actor;
begin
  if not app.caller_is_server() then
    perform app.fail('forbidden', 'Only the server does this.');
  end if;
  perform set_config('app.presented', '', true);
  v_actor := app.enter(actor, role_min);
  perform app.refuse_limited(v_actor);
  return v_actor;
end
$$;

-- `static` was added by an admin, `dcr` registered itself (RFC 7591), `cimd` is named by the URL of its document.
create table app.oauth_clients (
  tenant_id uuid not null,
  client_id text not null check (char_length(client_id) between 1 and 500),
  kind text not null check (kind in ('static', 'dcr', 'cimd')),
  client_name text not null check (char_length(client_name) between 1 and 100),
  client_uri text check (char_length(client_uri) <= 500),
  redirect_uris text[] not null check (cardinality(redirect_uris) between 1 and 20),
  token_endpoint_auth_method text not null default 'none' check (token_endpoint_auth_method in ('none', 'client_secret_basic', 'client_secret_post')),
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

-- A row is one access token with its refresh token; a refresh adds a row to the grant. A personal access token has neither grant nor refresh, and
-- may be limited to a project. No key binds it: a replay takes projects away for a moment, and without its project it reaches nothing.
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
  primary key (tenant_id, id),
  foreign key (tenant_id, grant_id) references app.oauth_grants on delete cascade,
  check ((kind = 'pat') = (grant_id is null)),
  check ((kind = 'pat') = (name is not null)),
  check (kind = 'pat' or project_id is null),
  check ((refresh_token is null) = (refresh_expires_at is null))
);
create unique index idx_oauth_tokens_access_token on public.oauth_tokens (tenant_id, access_token);
create unique index idx_oauth_tokens_refresh_token on public.oauth_tokens (tenant_id, refresh_token) where refresh_token is not null;
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

create function app.ip(actor jsonb) returns inet language sql immutable as $$ select nullif(actor ->> 'ip', '')::inet $$;

-- Records an event of the workspace that the door is in; `event` is {type, user_id?, client_id?, subject_id?, data?}.
create function app.audit(event jsonb, actor jsonb)
  returns void
  language plpgsql
  set search_path = ''
as $$
begin
  insert into app.auth_events (tenant_id, at, type, user_id, client_id, subject_id, ip, data)
  values (app.tenant(), app.now(), event ->> 'type', coalesce(app.as_uuid(event ->> 'user_id'), app.caller()), left(event ->> 'client_id', 500),
    app.as_uuid(event ->> 'subject_id'), app.ip(actor), coalesce(jsonb_strip_nulls(event -> 'data'), '{}'));
end
$$;

-- Ends grants and personal tokens of the workspace; answers how many were alive. `chosen` is {id?, user_id?, client_id?}; {} is all of them.
create function app.end_access(chosen jsonb, reason text, actor jsonb)
  returns jsonb
  language plpgsql
  set search_path = ''
as $$
declare
  v_tenant uuid := app.tenant();
  v_now timestamptz := app.now();
  v_grants uuid[];
  v_pats uuid[];
  v_tokens integer;
begin
  with ended as (
    update app.oauth_grants g set revoked_at = v_now, revoked_reason = left(reason, 200)
      where g.tenant_id = v_tenant and g.revoked_at is null
        and (chosen ->> 'id' is null or g.id = app.as_uuid(chosen ->> 'id')
          or g.id = (select t.grant_id from public.oauth_tokens t where t.tenant_id = v_tenant and t.id = app.as_uuid(chosen ->> 'id')))
        and (chosen ->> 'user_id' is null or g.user_id = app.as_uuid(chosen ->> 'user_id'))
        and (chosen ->> 'client_id' is null or g.client_id = chosen ->> 'client_id')
      returning g.id, g.user_id, g.client_id),
    told as (select app.audit(jsonb_build_object('type', 'grant.revoked', 'user_id', e.user_id, 'client_id', e.client_id, 'subject_id', e.id,
      'data', jsonb_build_object('reason', reason, 'by', app.caller())), actor) from ended e)
  select array_agg(e.id) into v_grants from ended e cross join (select count(*) from told) t;
  with ended as (
    update public.oauth_tokens t set revoked_at = v_now, updated_at = v_now
      where t.tenant_id = v_tenant and t.revoked_at is null and (t.grant_id = any (v_grants) or t.kind = 'pat'
        and (chosen ->> 'id' is null or t.id = app.as_uuid(chosen ->> 'id'))
        and (chosen ->> 'user_id' is null or t.user_id = app.as_uuid(chosen ->> 'user_id'))
        and (chosen ->> 'client_id' is null or t.client_id = chosen ->> 'client_id'))
      returning t.id, t.user_id, t.client_id, t.kind),
    told as (select app.audit(jsonb_build_object('type', 'pat.revoked', 'user_id', e.user_id, 'subject_id', e.id,
      'data', jsonb_build_object('reason', reason, 'by', app.caller())), actor) from ended e where e.kind = 'pat')
  select array_agg(e.id) filter (where e.kind = 'pat'), count(*) filter (where e.kind = 'oauth') into v_pats, v_tokens
    from ended e cross join (select count(*) from told) t;
  -- Servers that have something open for it close it.
  perform pg_notify('cairn_access', v_tenant::text);
  return jsonb_build_object('grants', coalesce(cardinality(v_grants), 0), 'tokens', v_tokens, 'pats', coalesce(cardinality(v_pats), 0));
end
$$;

-- A token with what its grant adds, and what speaks against its use.
create type app.bearer as (id uuid, kind text, user_id uuid, grant_id uuid, role text, scope text, project_id uuid, client_id text, client_name text,
  expires_at timestamptz, last_used_at timestamptz, refused text);

-- The token of that hash in the workspace, which is entered; null when there is none.
create function app.find_bearer(workspace uuid, token_hash text, resource text)
  returns app.bearer
  language plpgsql
  set search_path = ''
as $$
declare
  v_tenant uuid := set_config('app.tenant_id', coalesce(workspace, app.nobody())::text, true);
  v_now timestamptz := app.now();
  v_bearer app.bearer;
begin
  select t.id, t.kind, t.user_id, t.grant_id, m.role, t.scope, t.project_id, t.client_id, coalesce(g.client_name, t.name), least(t.expires_at, g.expires_at), t.last_used_at,
      case when t.resource <> find_bearer.resource then 'audience'
        when coalesce(t.revoked_at, g.revoked_at) is not null then 'revoked'
        when m.role is null then 'not_a_member'
        when least(t.expires_at, g.expires_at) <= v_now then 'expired' end
    into v_bearer
    from public.oauth_tokens t
    left join app.oauth_grants g on g.tenant_id = t.tenant_id and g.id = t.grant_id
    left join public.memberships m on m.tenant_id = t.tenant_id and m.user_id = t.user_id
    where t.tenant_id = v_tenant and t.access_token = token_hash;
  return v_bearer;
end
$$;

-- An actor whose call came with a token, within that call: with the role of its user, and limited as the token is. Raises unauthenticated where
-- the token is not the actor's, or not good: why, authenticate_token says and records.
create function app.prove_token(acting app.actor, proof jsonb)
  returns app.actor
  language plpgsql
  set search_path = ''
as $$
declare
  v_bearer app.bearer := app.find_bearer(acting.tenant_id, proof ->> 'token_hash', proof ->> 'resource');
begin
  if v_bearer.user_id is distinct from acting.user_id or v_bearer.refused is not null then
    perform app.fail('unauthenticated', 'The access token is not good, or no longer.', null, 'Connect again.');
  end if;
  acting.role := v_bearer.role;
  acting.project_id := v_bearer.project_id;
  return acting;
end
$$;

-- A refusal that somebody may repeat without end is recorded once a minute; that time is up, which the client knows, not at all.
create function app.refuse_bearer(bearer app.bearer, actor jsonb)
  returns jsonb
  language plpgsql
  set search_path = ''
as $$
begin
  if bearer.refused <> 'expired' and not exists (select from app.auth_events e where e.tenant_id = app.tenant() and e.subject_id = bearer.id
      and e.type = 'token.refused' and e.at > app.now() - interval '1 minute') then
    perform app.audit(jsonb_build_object('type', 'token.refused', 'user_id', bearer.user_id, 'client_id', bearer.client_id, 'subject_id', bearer.id,
      'data', jsonb_build_object('why', bearer.refused)), actor);
  end if;
  return jsonb_build_object('refused', bearer.refused);
end
$$;

-- authenticate_token(token_hash, resource) -> {token_id, grant_id?, kind, user_id, tenant_id, role, scope, resource, project_id?, client_id,
-- client_name?, expires_at} or {refused: unknown|audience|revoked|expired|not_a_member}. The actor's workspace is the one that the token names.
create function public.authenticate_token(token_hash text, resource text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter_workspace(actor);
  v_bearer app.bearer := app.find_bearer(v_actor.tenant_id, token_hash, resource);
  v_now timestamptz;
begin
  if v_bearer.id is null then
    return jsonb_build_object('refused', 'unknown');
  elsif v_bearer.refused is not null then
    return app.refuse_bearer(v_bearer, actor);
  end if;
  -- Where and when it was last used is kept to the minute, and not waited for until it is on the disk.
  v_now := app.now();
  if v_bearer.last_used_at is null or v_bearer.last_used_at < v_now - interval '1 minute' then
    perform set_config('synchronous_commit', 'off', true);
    update public.oauth_tokens t set last_used_at = v_now, last_used_ip = app.ip(actor) where t.tenant_id = v_actor.tenant_id and t.id = v_bearer.id;
    update app.oauth_grants g set last_used_at = v_now, last_used_ip = app.ip(actor) where g.tenant_id = v_actor.tenant_id and g.id = v_bearer.grant_id;
  end if;
  return jsonb_strip_nulls(jsonb_build_object('token_id', v_bearer.id, 'grant_id', v_bearer.grant_id, 'kind', v_bearer.kind, 'user_id', v_bearer.user_id,
    'tenant_id', v_actor.tenant_id, 'role', v_bearer.role, 'scope', v_bearer.scope, 'resource', authenticate_token.resource,
    'project_id', v_bearer.project_id, 'client_id', v_bearer.client_id, 'client_name', v_bearer.client_name, 'expires_at', v_bearer.expires_at));
end
$$;

-- Adds a pair of tokens to a grant. `minted` is {id, access_hash, refresh_hash, access_seconds, refresh_seconds}.
create function app.mint(access app.oauth_grants, scope text, minted jsonb, actor jsonb)
  returns jsonb
  language plpgsql
  set search_path = ''
as $$
declare
  v_now timestamptz := app.now();
  v_token public.oauth_tokens;
begin
  insert into public.oauth_tokens (tenant_id, id, user_id, grant_id, access_token, refresh_token, expires_at, refresh_expires_at, scope, resource,
    client_id, created_ip, created_at, updated_at)
  values (access.tenant_id, (minted ->> 'id')::uuid, access.user_id, access.id, minted ->> 'access_hash', minted ->> 'refresh_hash',
    least(v_now + make_interval(secs => (minted ->> 'access_seconds')::integer), access.expires_at),
    least(v_now + make_interval(secs => (minted ->> 'refresh_seconds')::integer), access.expires_at),
    scope, access.resource, access.client_id, app.ip(actor), v_now, v_now)
  returning * into v_token;
  return jsonb_build_object('token_id', v_token.id, 'scope', v_token.scope, 'resource', v_token.resource,
    'expires_in', extract(epoch from v_token.expires_at - v_now)::integer);
end
$$;

-- redeem_code(code_hash, presented {client_id, redirect_uri, code_challenge, resource?}, minted) -> {scope, resource, expires_in, token_id} or
-- {refused: unknown|expired|reused|client|redirect_uri|code_challenge|resource|revoked}. Exactly one of many at once succeeds; a second
-- presentation by its own client revokes what the first one got (OAuth 2.1, section 4.1.3).
create function public.redeem_code(code_hash text, presented jsonb, minted jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
as $$
declare
  v_actor app.actor := app.enter_workspace(actor);
  v_code app.oauth_codes;
  v_grant app.oauth_grants;
  v_refused text;
  v_answer jsonb;
begin
  select c.* into v_code from app.oauth_codes c where c.tenant_id = v_actor.tenant_id and c.code_hash = redeem_code.code_hash;
  if not found then
    return jsonb_build_object('refused', 'unknown');
  end if;
  select g.* into v_grant from app.oauth_grants g where g.tenant_id = v_code.tenant_id and g.id = v_code.grant_id for update;
  select c.* into v_code from app.oauth_codes c where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash for update;
  perform set_config('app.user_id', v_grant.user_id::text, true);
  v_refused := case
    when presented ->> 'client_id' is distinct from v_grant.client_id then 'client'
    when v_code.used_at is not null then 'reused'
    when v_grant.revoked_at is not null then 'revoked'
    when v_code.expires_at <= app.now() then 'expired'
    when presented ->> 'redirect_uri' is distinct from v_code.redirect_uri then 'redirect_uri'
    when presented ->> 'code_challenge' is distinct from v_code.code_challenge then 'code_challenge'
    when coalesce(presented ->> 'resource', v_grant.resource) <> v_grant.resource then 'resource' end;
  if v_refused is not null then
    perform app.audit(jsonb_build_object('type', case v_refused when 'reused' then 'code.reused' else 'code.refused' end, 'client_id', v_grant.client_id,
      'subject_id', v_grant.id, 'data', jsonb_build_object('why', v_refused, 'presented_by', left(presented ->> 'client_id', 200))), actor);
    if v_refused = 'reused' then
      perform app.end_access(jsonb_build_object('id', v_grant.id), 'The authorization code was presented twice.', actor);
    end if;
    return jsonb_build_object('refused', v_refused);
  end if;
  update app.oauth_codes c set used_at = app.now() where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash;
  v_answer := app.mint(v_grant, v_grant.scope, minted, actor);
  perform app.audit(jsonb_build_object('type', 'token.issued', 'client_id', v_grant.client_id, 'subject_id', v_grant.id), actor);
  return v_answer;
end
$$;

-- refresh_token(token_hash, presented {client_id, scope?, resource?, grace_seconds}, minted) -> {scope, resource, expires_in, token_id} or
-- {refused: unknown|client|revoked|expired|reused|scope|resource|not_a_member}. A refresh token works once, and for the grace time up to ten times,
-- each with tokens of its own: processes that share one store refresh at once. After that its reuse revokes the grant.
create function public.refresh_token(token_hash text, presented jsonb, minted jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
as $$
declare
  v_actor app.actor := app.enter_workspace(actor);
  v_token public.oauth_tokens;
  v_grant app.oauth_grants;
  v_scope text;
  v_refused text;
  v_answer jsonb;
begin
  select t.* into v_token from public.oauth_tokens t where t.tenant_id = v_actor.tenant_id and t.refresh_token = token_hash;
  if not found then
    return jsonb_build_object('refused', 'unknown');
  end if;
  perform set_config('app.user_id', v_token.user_id::text, true);
  select g.* into v_grant from app.oauth_grants g where g.tenant_id = v_token.tenant_id and g.id = v_token.grant_id for update;
  select t.* into v_token from public.oauth_tokens t where t.tenant_id = v_token.tenant_id and t.id = v_token.id;
  v_scope := coalesce(presented ->> 'scope', v_token.scope);
  v_refused := case
    when presented ->> 'client_id' is distinct from v_grant.client_id then 'client'
    when v_grant.revoked_at is not null or v_token.revoked_at is not null then 'revoked'
    when least(v_token.refresh_expires_at, v_grant.expires_at) <= app.now() then 'expired'
    when v_token.refresh_uses >= 10 or v_token.refresh_used_at + make_interval(secs => (presented ->> 'grace_seconds')::integer) < app.now() then 'reused'
    when coalesce(presented ->> 'resource', v_grant.resource) <> v_grant.resource then 'resource'
    when not string_to_array(v_scope, ' ') <@ string_to_array(v_grant.scope, ' ') then 'scope'
    when not exists (select from public.memberships m where m.tenant_id = v_token.tenant_id and m.user_id = v_token.user_id) then 'not_a_member' end;
  if v_refused is not null then
    perform app.audit(jsonb_build_object('type', case v_refused when 'reused' then 'refresh.reused' else 'refresh.refused' end, 'client_id', v_grant.client_id,
      'subject_id', v_grant.id, 'data', jsonb_build_object('why', v_refused, 'presented_by', left(presented ->> 'client_id', 200))), actor);
    if v_refused = 'reused' then
      perform app.end_access(jsonb_build_object('id', v_grant.id), 'A refresh token was used again after its time.', actor);
    end if;
    return jsonb_build_object('refused', v_refused);
  end if;
  update public.oauth_tokens t set refresh_used_at = coalesce(t.refresh_used_at, app.now()), refresh_uses = t.refresh_uses + 1, updated_at = app.now()
    where t.tenant_id = v_token.tenant_id and t.id = v_token.id;
  v_answer := app.mint(v_grant, v_scope, minted, actor);
  perform app.audit(jsonb_build_object('type', 'token.refreshed', 'client_id', v_grant.client_id, 'subject_id', v_grant.id), actor);
  return v_answer;
end
$$;

-- revoke_token(token_hash, client_id?) -> {revoked}: RFC 7009, section 2.1. A client ends its own grant and no other; without a client the
-- server vouches that whoever holds a secret may end it, e.g. one found in public.
create function public.revoke_token(token_hash text, client_id text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
as $$
declare
  v_actor app.actor := app.enter_workspace(actor);
  v_token public.oauth_tokens;
begin
  select t.* into v_token from public.oauth_tokens t where t.tenant_id = v_actor.tenant_id and t.access_token = token_hash;
  if not found then
    select t.* into v_token from public.oauth_tokens t where t.tenant_id = v_actor.tenant_id and t.refresh_token = token_hash;
  end if;
  if v_token.id is null or revoke_token.client_id <> v_token.client_id then
    return jsonb_build_object('revoked', false);
  end if;
  perform set_config('app.user_id', v_token.user_id::text, true);
  perform app.end_access(jsonb_build_object('id', v_token.id), case when revoke_token.client_id is null then 'Its holder ended it.' else 'Its client ended it.' end, actor);
  return jsonb_build_object('revoked', true);
end
$$;
