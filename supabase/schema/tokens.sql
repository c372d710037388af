-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.end_access(chosen jsonb, reason text, actor jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_tenant uuid := app.get_tenant_id();
  v_now timestamptz := app.now();
  v_grants uuid[];
  v_pats uuid[];
  v_tokens integer;
begin
  with ended as (
    update app.oauth_grants g set revoked_at = v_now, revoked_reason = left(reason, 200)
    where g.tenant_id = v_tenant
      and g.revoked_at is null
      and (chosen ->> 'id' is null
        or g.id = app.as_uuid(chosen ->> 'id')
        or g.id = (
          select t.grant_id from public.oauth_tokens t
          where t.tenant_id = v_tenant and t.id = app.as_uuid(chosen ->> 'id')))
      and (chosen ->> 'user_id' is null or g.user_id = app.as_uuid(chosen ->> 'user_id'))
      and (chosen ->> 'client_id' is null or g.client_id = chosen ->> 'client_id')
    returning g.id, g.user_id, g.client_id),
  audited as (
    select app.record_audit(jsonb_build_object(
      'type', 'grant.revoked',
      'user_id', e.user_id,
      'client_id', e.client_id,
      'subject_id', e.id,
      'data', jsonb_build_object('reason', reason, 'by', app.get_caller_id())), actor)
    from ended e)
  select array_agg(e.id) into v_grants
  from ended e
  cross join (select count(*) from audited) t;
  with ended as (
    update public.oauth_tokens t set revoked_at = v_now, updated_at = v_now
    where t.tenant_id = v_tenant
      and t.revoked_at is null
      and (t.grant_id = any (v_grants)
        or t.kind = 'pat'
          and (chosen ->> 'id' is null or t.id = app.as_uuid(chosen ->> 'id'))
          and (chosen ->> 'user_id' is null or t.user_id = app.as_uuid(chosen ->> 'user_id'))
          and (chosen ->> 'client_id' is null or t.client_id = chosen ->> 'client_id'))
    returning t.id, t.user_id, t.client_id, t.kind),
  audited as (
    select app.record_audit(jsonb_build_object(
      'type', 'pat.revoked',
      'user_id', e.user_id,
      'subject_id', e.id,
      'data', jsonb_build_object('reason', reason, 'by', app.get_caller_id())), actor)
    from ended e
    where e.kind = 'pat')
  select array_agg(e.id) filter (where e.kind = 'pat'), count(*) filter (where e.kind = 'oauth') into v_pats, v_tokens
  from ended e
  cross join (select count(*) from audited) t;
  -- Servers that have something open for it close it.
  perform pg_notify('cairn_access', v_tenant::text);
  return jsonb_build_object(
    'grants', coalesce(cardinality(v_grants), 0),
    'tokens', v_tokens,
    'pats', coalesce(cardinality(v_pats), 0));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_bearer(workspace uuid, token_hash text, resource text)
 RETURNS app.bearer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_tenant uuid := set_config('app.tenant_id', coalesce(workspace, app.get_nil_id())::text, true);
  v_now timestamptz := app.now();
  v_bearer app.bearer;
begin
  select t.id,
      t.kind,
      t.user_id,
      t.grant_id,
      m.role,
      t.scope,
      t.project_id,
      t.client_id,
      coalesce(g.client_name, t.name),
      least(t.expires_at, g.expires_at),
      t.last_used_at,
      case
        when t.resource <> find_bearer.resource then 'audience'
        when coalesce(t.revoked_at, g.revoked_at) is not null then 'revoked'
        when m.role is null then 'not_a_member'
        when least(t.expires_at, g.expires_at) <= v_now then 'expired' end,
      t.agent
    into v_bearer
    from public.oauth_tokens t
    left join app.oauth_grants g on g.tenant_id = t.tenant_id and g.id = t.grant_id
    left join public.memberships m on m.tenant_id = t.tenant_id and m.user_id = t.user_id
    where t.tenant_id = v_tenant and t.access_token = token_hash;
  return v_bearer;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.issue_tokens(access app.oauth_grants, scope text, minted jsonb, actor jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_now timestamptz := app.now();
  v_token public.oauth_tokens;
begin
  insert into public.oauth_tokens (tenant_id, id, user_id, grant_id, parent_id, access_token, refresh_token,
    expires_at, refresh_expires_at, scope, resource, client_id, created_ip, created_at, updated_at)
    values (access.tenant_id, (minted ->> 'id')::uuid, access.user_id, access.id, (minted ->> 'parent_id')::uuid,
      minted ->> 'access_hash', minted ->> 'refresh_hash',
      least(v_now + make_interval(secs => (minted ->> 'access_seconds')::integer), access.expires_at),
      least(v_now + make_interval(secs => (minted ->> 'refresh_seconds')::integer), access.expires_at), scope,
      access.resource, access.client_id, app.read_ip(actor), v_now, v_now)
    returning * into v_token;
  return jsonb_build_object('token_id', v_token.id, 'scope', v_token.scope, 'resource', v_token.resource,
    'expires_in', extract(epoch from v_token.expires_at - v_now)::integer);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.lives_elsewhere(token public.oauth_tokens, address inet)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  with recursive family as (
    select t.id as branch, t.id, t.created_ip, t.last_used_ip
    from public.oauth_tokens t
    where t.tenant_id = token.tenant_id and t.parent_id = token.id
    union all
    select f.branch, t.id, t.created_ip, t.last_used_ip
    from family f
    join public.oauth_tokens t on t.tenant_id = token.tenant_id and t.parent_id = f.id)
  select exists (
    select from family f
    group by f.branch
    having not bool_or(array[app.mask_address(f.created_ip), app.mask_address(f.last_used_ip)]
      && array[app.mask_address(token.created_ip), app.mask_address(address)]))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.mask_address(address inet)
 RETURNS cidr
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select network(set_masklen(a.plain, case family(a.plain) when 4 then 24 else 48 end))
  from (select regexp_replace(host(address), '^::ffff:(?=\d+\.)', '')::inet as plain) a
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.prove_token(acting app.actor, proof jsonb)
 RETURNS app.actor
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_bearer app.bearer := app.find_bearer(acting.tenant_id, proof ->> 'token_hash', proof ->> 'resource');
begin
  if v_bearer.user_id is distinct from acting.user_id or v_bearer.refused is not null then
    perform app.fail('unauthenticated', 'The access token is not valid: it is unknown, expired or revoked.',
      null, 'Connect again.');
  end if;
  acting.role := v_bearer.role;
  acting.project_id := v_bearer.project_id;
  acting.drives := v_bearer.agent;
  return acting;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.refuse_bearer(bearer app.bearer, actor jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if bearer.refused <> 'expired'
      and not exists (
        select from app.auth_events e
        where e.tenant_id = app.get_tenant_id()
          and e.subject_id = bearer.id
          and e.type = 'token.refused'
          and e.at > app.now() - interval '1 minute') then
    perform app.record_audit(jsonb_build_object(
      'type', 'token.refused',
      'user_id', bearer.user_id,
      'client_id', bearer.client_id,
      'subject_id', bearer.id,
      'data', jsonb_build_object('why', bearer.refused)), actor);
  end if;
  return jsonb_build_object('refused', bearer.refused);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.authenticate_token(token_hash text, resource text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_bearer app.bearer := app.find_bearer(v_actor.tenant_id, token_hash, resource);
  v_now timestamptz;
begin
  if v_bearer.id is null then
    return jsonb_build_object('refused', 'unknown');
  elsif v_bearer.refused is not null then
    return app.refuse_bearer(v_bearer, actor);
  end if;
  -- Records the last use to the minute, and does not wait until the record is on disk.
  v_now := app.now();
  if v_bearer.last_used_at is null or v_bearer.last_used_at < v_now - interval '1 minute' then
    perform set_config('synchronous_commit', 'off', true);
    update public.oauth_tokens t set last_used_at = v_now, last_used_ip = app.read_ip(actor)
      where t.tenant_id = v_actor.tenant_id and t.id = v_bearer.id;
    update app.oauth_grants g set last_used_at = v_now, last_used_ip = app.read_ip(actor)
      where g.tenant_id = v_actor.tenant_id and g.id = v_bearer.grant_id;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'token_id', v_bearer.id,
    'grant_id', v_bearer.grant_id,
    'kind', v_bearer.kind,
    'user_id', v_bearer.user_id,
    'tenant_id', v_actor.tenant_id,
    'role', v_bearer.role,
    'scope', v_bearer.scope,
    'resource', authenticate_token.resource,
    'project_id', v_bearer.project_id,
    'agent', v_bearer.agent,
    'client_id', v_bearer.client_id,
    'client_name', v_bearer.client_name,
    'expires_at', v_bearer.expires_at));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.redeem_code(code_hash text, presented jsonb, minted jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_code app.oauth_codes;
  v_grant app.oauth_grants;
  v_refused text;
  v_answer jsonb;
begin
  select c.* into v_code from app.oauth_codes c
    where c.tenant_id = v_actor.tenant_id and c.code_hash = redeem_code.code_hash;
  if not found then
    return jsonb_build_object('refused', 'unknown');
  end if;
  select g.* into v_grant from app.oauth_grants g
    where g.tenant_id = v_code.tenant_id and g.id = v_code.grant_id
    for update;
  select c.* into v_code from app.oauth_codes c
    where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash
    for update;
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
    perform app.record_audit(jsonb_build_object(
      'type', case v_refused when 'reused' then 'code.reused' else 'code.refused' end,
      'client_id', v_grant.client_id,
      'subject_id', v_grant.id,
      'data', jsonb_build_object('why', v_refused, 'presented_by', left(presented ->> 'client_id', 200))), actor);
    if v_refused = 'reused' then
      perform app.end_access(jsonb_build_object('id', v_grant.id),
        'The authorization code was presented twice.', actor);
    end if;
    return jsonb_build_object('refused', v_refused);
  end if;
  update app.oauth_codes c set used_at = app.now()
    where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash;
  v_answer := app.issue_tokens(v_grant, v_grant.scope, minted, actor);
  perform app.record_audit(jsonb_build_object(
    'type', 'token.issued',
    'client_id', v_grant.client_id,
    'subject_id', v_grant.id), actor);
  return v_answer;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.refresh_token(token_hash text, presented jsonb, minted jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_token public.oauth_tokens;
  v_grant app.oauth_grants;
  v_scope text;
  v_late boolean;
  v_refused text;
  v_answer jsonb;
begin
  select t.* into v_token from public.oauth_tokens t
    where t.tenant_id = v_actor.tenant_id and t.refresh_token = token_hash;
  if not found then
    return jsonb_build_object('refused', 'unknown');
  end if;
  perform set_config('app.user_id', v_token.user_id::text, true);
  select g.* into v_grant from app.oauth_grants g
    where g.tenant_id = v_token.tenant_id and g.id = v_token.grant_id
    for update;
  select t.* into v_token from public.oauth_tokens t where t.tenant_id = v_token.tenant_id and t.id = v_token.id;
  v_scope := coalesce(presented ->> 'scope', v_token.scope);
  v_late := coalesce(v_token.refresh_used_at + make_interval(secs => (presented ->> 'grace_seconds')::integer)
    < app.now(), false);
  v_refused := case
    when presented ->> 'client_id' is distinct from v_grant.client_id then 'client'
    when v_grant.revoked_at is not null or v_token.revoked_at is not null then 'revoked'
    when least(v_token.refresh_expires_at, v_grant.expires_at) <= app.now() then 'expired'
    when v_late and app.lives_elsewhere(v_token, app.read_ip(actor)) then 'stolen'
    when v_late or v_token.refresh_uses >= 100 then 'reused'
    when coalesce(presented ->> 'resource', v_grant.resource) <> v_grant.resource then 'resource'
    when not string_to_array(v_scope, ' ') <@ string_to_array(v_grant.scope, ' ') then 'scope'
    when not exists (
        select from public.memberships m
        where m.tenant_id = v_token.tenant_id and m.user_id = v_token.user_id)
      then 'not_a_member' end;
  if v_refused is not null then
    perform app.record_audit(jsonb_build_object(
      'type', case when v_refused in ('reused', 'stolen') then 'refresh.reused' else 'refresh.refused' end,
      'client_id', v_grant.client_id,
      'subject_id', v_grant.id,
      'data', jsonb_build_object('why', v_refused, 'presented_by', left(presented ->> 'client_id', 200))), actor);
    if v_refused = 'stolen' then
      perform app.end_access(jsonb_build_object('id', v_grant.id),
        'A refresh token that was used elsewhere came back.', actor);
    end if;
    return jsonb_build_object('refused', v_refused);
  end if;
  update public.oauth_tokens t
    set refresh_used_at = coalesce(t.refresh_used_at, app.now()),
      refresh_uses = t.refresh_uses + 1,
      updated_at = app.now()
    where t.tenant_id = v_token.tenant_id and t.id = v_token.id;
  v_answer := app.issue_tokens(v_grant, v_scope, minted || jsonb_build_object('parent_id', v_token.id), actor);
  perform app.record_audit(jsonb_build_object(
    'type', 'token.refreshed',
    'client_id', v_grant.client_id,
    'subject_id', v_grant.id), actor);
  return v_answer;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.revoke_token(token_hash text, client_id text DEFAULT NULL::text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_token public.oauth_tokens;
begin
  select t.* into v_token from public.oauth_tokens t
    where t.tenant_id = v_actor.tenant_id and t.access_token = token_hash;
  if not found then
    select t.* into v_token from public.oauth_tokens t
      where t.tenant_id = v_actor.tenant_id and t.refresh_token = token_hash;
  end if;
  if v_token.id is null or revoke_token.client_id <> v_token.client_id then
    return jsonb_build_object('revoked', false);
  end if;
  perform set_config('app.user_id', v_token.user_id::text, true);
  perform app.end_access(jsonb_build_object('id', v_token.id),
    case when revoke_token.client_id is null then 'Its holder ended it.' else 'Its client ended it.' end, actor);
  return jsonb_build_object('revoked', true);
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.authenticate_token(text,text,jsonb) to cairn_server;
grant execute on function public.authenticate_token(text,text,jsonb) to service_role;
grant execute on function public.redeem_code(text,jsonb,jsonb,jsonb) to cairn_server;
grant execute on function public.redeem_code(text,jsonb,jsonb,jsonb) to service_role;
grant execute on function public.refresh_token(text,jsonb,jsonb,jsonb) to cairn_server;
grant execute on function public.refresh_token(text,jsonb,jsonb,jsonb) to service_role;
grant execute on function public.revoke_token(text,text,jsonb) to cairn_server;
grant execute on function public.revoke_token(text,text,jsonb) to service_role;
