-- Asking a person for a grant: request, consent, code.

create or replace function app.client_view(client app.oauth_clients) returns jsonb language sql immutable as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'client_id', client.client_id,
    'kind', client.kind,
    'client_name', client.client_name,
    'client_uri', client.client_uri,
    'redirect_uris', client.redirect_uris,
    'token_endpoint_auth_method', client.token_endpoint_auth_method,
    'client_secret_hash', client.client_secret_hash,
    'application_type', client.application_type,
    'created_at', client.created_at,
    'fetched_at', client.fetched_at,
    'fresh_until', client.fresh_until,
    'authorized_at', client.authorized_at,
    'last_used_at', client.last_used_at))
$$;

-- save_client(client {client_id, kind: dcr|cimd, client_name, client_uri?, redirect_uris, token_endpoint_auth_method,
-- client_secret_hash?, application_type?, fresh_seconds?}) -> client. A CIMD client is saved again after each fetch of
-- its document.
create or replace function public.save_client(client jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
  v_now timestamptz := app.now();
  v_client app.oauth_clients;
begin
  if client ->> 'kind' not in ('dcr', 'cimd') then
    perform app.fail('invalid_input', 'Only an admin adds a static client.');
  end if;
  insert into app.oauth_clients as c (tenant_id, client_id, kind, client_name, client_uri, redirect_uris,
    token_endpoint_auth_method, client_secret_hash, application_type, created_ip, created_at, fetched_at, fresh_until)
    select v_actor.tenant_id,
      n.client_id,
      n.kind,
      n.client_name,
      n.client_uri,
      n.redirect_uris,
      n.token_endpoint_auth_method,
      n.client_secret_hash,
      n.application_type,
      app.read_ip(actor),
      v_now,
      case n.kind when 'cimd' then v_now end,
      v_now + make_interval(secs => (client ->> 'fresh_seconds')::integer)
    from jsonb_populate_record(null::app.oauth_clients, client) n
    on conflict (tenant_id, client_id) do update
      set client_name = excluded.client_name,
        client_uri = excluded.client_uri,
        redirect_uris = excluded.redirect_uris,
        application_type = excluded.application_type,
        fetched_at = excluded.fetched_at,
        fresh_until = excluded.fresh_until
      where c.kind = 'cimd'
    returning * into v_client;
  if v_client.created_at = v_now then
    perform app.record_audit(jsonb_build_object(
      'type', 'client.registered',
      'client_id', v_client.client_id,
      'data', jsonb_build_object(
        'kind', v_client.kind,
        'client_name', v_client.client_name,
        'redirect_uris', v_client.redirect_uris)), actor);
  end if;
  return app.client_view(v_client);
end
$$;

-- get_client(client_id) -> client with client_secret_hash, or {}.
create or replace function public.get_client(client_id text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return coalesce((select app.client_view(c) from app.oauth_clients c where c.client_id = get_client.client_id), '{}');
end
$$;

-- start_authorization(request {request_hash, txn_hash, client_id, redirect_uri, scope, resource, state?,
-- code_challenge, ttl_seconds}) -> {expires_at}
create or replace function public.start_authorization(request jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
  v_now timestamptz := app.now();
  v_expires timestamptz := v_now + make_interval(secs => (request ->> 'ttl_seconds')::integer);
begin
  insert into app.authorization_requests (tenant_id, request_hash, txn_hash, client_id, redirect_uri, scope, resource,
    state, code_challenge, created_at, expires_at)
    values (v_actor.tenant_id, request ->> 'request_hash', request ->> 'txn_hash', request ->> 'client_id',
      request ->> 'redirect_uri', request ->> 'scope', request ->> 'resource', request ->> 'state',
      request ->> 'code_challenge', v_now, v_expires);
  return jsonb_build_object('expires_at', v_expires);
end
$$;

-- Finds the request that this browser began and this user may answer, or why not; locks it with `decide`.
create or replace function app.find_authorization(
  request_hash text,
  txn_hash text,
  user_id uuid,
  decide boolean,
  out request app.authorization_requests,
  out refused text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if decide then
    select r.* into request from app.authorization_requests r
      where r.tenant_id = app.get_nil_id() and r.request_hash = find_authorization.request_hash
      for update;
  else
    select r.* into request from app.authorization_requests r
      where r.tenant_id = app.get_nil_id() and r.request_hash = find_authorization.request_hash;
  end if;
  refused := case
    when request.request_hash is null or request.expires_at <= app.now() then 'expired'
    when request.txn_hash is distinct from find_authorization.txn_hash then 'other_browser'
    when request.user_id <> find_authorization.user_id then 'other_user'
    when decide and request.user_id is null then 'not_opened' end;
end
$$;

create or replace function app.list_workspaces(user_id uuid)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object('tenant_id', t.id, 'name', t.name, 'role', m.role)
    order by (t.id = m.user_id) desc, m.created_at, t.id), '[]')
  from public.memberships m
  join public.tenants t on t.id = m.tenant_id
  where m.user_id = list_workspaces.user_id
$$;

-- open_authorization(request_hash, txn_hash) -> {request: {client_id, redirect_uri, scope, resource, state?,
-- expires_at}, client, workspaces: [{tenant_id, name, role}]} or {refused: expired|other_browser|other_user}.
-- Afterwards only this user can answer it.
create or replace function public.open_authorization(request_hash text, txn_hash text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_found record;
  v_request app.authorization_requests;
  v_refused text;
begin
  perform set_config('app.tenant_id', app.get_nil_id()::text, true);
  select * into v_found
    from app.find_authorization(open_authorization.request_hash, open_authorization.txn_hash, v_actor.user_id, false);
  v_request := v_found.request;
  v_refused := v_found.refused;
  if v_refused is not null then
    perform app.record_audit(jsonb_build_object(
      'type', 'consent.refused',
      'client_id', v_request.client_id,
      'data', jsonb_build_object('why', v_refused)), actor);
    return jsonb_build_object('refused', v_refused);
  end if;
  update app.authorization_requests r set user_id = v_actor.user_id
    where r.tenant_id = v_request.tenant_id and r.request_hash = v_request.request_hash;
  return jsonb_build_object(
    'request', jsonb_strip_nulls(jsonb_build_object(
      'client_id', v_request.client_id,
      'redirect_uri', v_request.redirect_uri,
      'scope', v_request.scope,
      'resource', v_request.resource,
      'state', v_request.state,
      'expires_at', v_request.expires_at)),
    'client', (
      select app.client_view(c) - 'client_secret_hash'
      from app.oauth_clients c
      where c.client_id = v_request.client_id),
    'workspaces', app.list_workspaces(v_actor.user_id));
end
$$;

-- Consents: makes the grant and its code, in the door's workspace.
create or replace function app.grant_access(request app.authorization_requests, decision jsonb, actor jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := app.now();
  v_client app.oauth_clients;
  v_grant uuid := (decision ->> 'grant_id')::uuid;
begin
  select c.* into v_client from app.oauth_clients c where c.client_id = request.client_id;
  insert into app.oauth_grants (tenant_id, id, user_id, client_id, client_name, client_kind, redirect_host, resource,
    scope, created_ip, created_at, expires_at)
    values (app.get_tenant_id(), v_grant, request.user_id, request.client_id, v_client.client_name, v_client.kind,
      decision ->> 'redirect_host', request.resource, decision ->> 'scope', app.read_ip(actor), v_now,
      v_now + make_interval(secs => (decision ->> 'grant_seconds')::integer));
  insert into app.oauth_codes (tenant_id, code_hash, grant_id, redirect_uri, code_challenge, expires_at)
    values (app.get_tenant_id(), decision ->> 'code_hash', v_grant, request.redirect_uri, request.code_challenge,
      v_now + make_interval(secs => (decision ->> 'code_seconds')::integer));
  perform app.record_audit(jsonb_build_object(
    'type', 'grant.created',
    'client_id', request.client_id,
    'subject_id', v_grant,
    'data', jsonb_build_object(
      'scope', decision ->> 'scope',
      'resource', request.resource,
      'redirect_host', decision ->> 'redirect_host')), actor);
end
$$;

-- answer_authorization(request_hash, txn_hash, decision {allow, scope, grant_id, code_hash, redirect_host,
-- code_seconds, grant_seconds}) -> {redirect_uri, state?, allowed} or {refused:
-- expired|other_browser|other_user|not_opened|blocked|scope|role}. The actor's workspace is the one that the person
-- chose. A request is answered once.
create or replace function public.answer_authorization(
  request_hash text,
  txn_hash text,
  decision jsonb,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_found record;
  v_request app.authorization_requests;
  v_refused text;
  v_allow boolean := (decision ->> 'allow')::boolean;
begin
  perform set_config('app.tenant_id', app.get_nil_id()::text, true);
  select * into v_found
    from app.find_authorization(answer_authorization.request_hash, answer_authorization.txn_hash, v_actor.user_id,
      true);
  v_request := v_found.request;
  v_refused := v_found.refused;
  if v_refused is null and v_allow then
    perform set_config('app.tenant_id', v_actor.tenant_id::text, true);
    v_refused := case
      when exists (
          select from app.client_blocks b
          where b.tenant_id = v_actor.tenant_id and b.client_id = v_request.client_id)
        then 'blocked'
      when not string_to_array(decision ->> 'scope', ' ') <@ string_to_array(v_request.scope, ' ')
          or decision ->> 'scope' = ''
        then 'scope'
      when 'admin' = any (string_to_array(decision ->> 'scope', ' '))
          and app.role_rank(v_actor.role) < app.role_rank('admin')
        then 'role' end;
  end if;
  if v_refused is not null then
    perform app.record_audit(jsonb_build_object(
      'type', 'consent.refused',
      'client_id', v_request.client_id,
      'data', jsonb_build_object('why', v_refused)), actor);
    return jsonb_build_object('refused', v_refused);
  end if;
  if v_allow then
    perform app.grant_access(v_request, decision, actor);
  else
    perform app.record_audit(jsonb_build_object('type', 'grant.denied', 'client_id', v_request.client_id), actor);
  end if;
  perform set_config('app.tenant_id', app.get_nil_id()::text, true);
  delete from app.authorization_requests r
    where r.tenant_id = v_request.tenant_id and r.request_hash = v_request.request_hash;
  -- The client's own row lies with its registrar: a workspace, or nobody.
  perform set_config('app.tenant_id',
    coalesce(
      (select c.tenant_id from app.oauth_clients c where c.client_id = v_request.client_id),
      app.get_nil_id())::text,
    true);
  update app.oauth_clients c set authorized_at = coalesce(c.authorized_at, app.now()), last_used_at = app.now()
    where v_allow and c.client_id = v_request.client_id;
  return jsonb_strip_nulls(jsonb_build_object(
    'redirect_uri', v_request.redirect_uri,
    'state', v_request.state,
    'allowed', v_allow));
end
$$;

-- trusts_client(client_id, redirect_host?) -> {trusted}: tells whether the actor currently admits the client, in any
-- workspace, with its answers going to a host if one is named.
create or replace function public.trusts_client(
  client_id text,
  redirect_host text default null,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_tenant uuid;
begin
  for v_tenant in select m.tenant_id from public.memberships m where m.user_id = v_actor.user_id limit 1000 loop
    perform set_config('app.tenant_id', v_tenant::text, true);
    if exists (select from app.oauth_grants g
        where g.tenant_id = v_tenant
          and g.user_id = v_actor.user_id
          and g.client_id = trusts_client.client_id
          and g.revoked_at is null
          and g.expires_at > app.now()
          and g.redirect_host = coalesce(trusts_client.redirect_host, g.redirect_host)) then
      return '{"trusted": true}';
    end if;
  end loop;
  return '{"trusted": false}';
end
$$;

select app.define_on_tables($triggers$
  create trigger clients_clean_name before insert or update of client_name on app.oauth_clients
    for each row execute function app.clean_column('client_name', '100', 'Unnamed client');
$triggers$);
