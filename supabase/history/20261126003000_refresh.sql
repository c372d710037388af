-- A refresh token that was used comes back from many an honest program: a fleet of processes shares it, and some of them slept.
-- So one use too many is refused alone. The grant ends where somebody else lives on what the token gave.

-- The token whose refresh made it; null for the first of a grant.
alter table public.oauth_tokens add column parent_id uuid;
create index idx_oauth_tokens_parent_id on public.oauth_tokens (tenant_id, parent_id) where parent_id is not null;

-- Where an address is, as far as processes of one machine share it: of IPv4 the /24, of IPv6 the /48. A socket of both writes the one as the other.
create function app.place(address inet) returns cidr language sql immutable set search_path = pg_catalog, pg_temp as $$
  select network(set_masklen(a.plain, case family(a.plain) when 4 then 24 else 48 end))
  from (select regexp_replace(host(address), '^::ffff:(?=\d+\.)', '')::inet as plain) a
$$;

-- Whether a use of the token made a branch of the family that lives elsewhere: neither the pair of that use nor what came of it was ever seen in the
-- place that the token was given to, or in this one. A machine that moves takes its processes along, so that its branches are seen where they are.
-- A place that is not known is no alibi.
create function app.lives_elsewhere(token public.oauth_tokens, address inet)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with recursive family as (
    select t.id as branch, t.id, t.created_ip, t.last_used_ip
    from public.oauth_tokens t where t.tenant_id = token.tenant_id and t.parent_id = token.id
    union all
    select f.branch, t.id, t.created_ip, t.last_used_ip
    from family f join public.oauth_tokens t on t.tenant_id = token.tenant_id and t.parent_id = f.id)
  select exists (
    select from family f group by f.branch
    having not bool_or(array[app.place(f.created_ip), app.place(f.last_used_ip)] && array[app.place(token.created_ip), app.place(address)]))
$$;

create or replace function app.mint(access app.oauth_grants, scope text, minted jsonb, actor jsonb)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := app.now();
  v_token public.oauth_tokens;
begin
  insert into public.oauth_tokens (tenant_id, id, user_id, grant_id, parent_id, access_token, refresh_token, expires_at, refresh_expires_at, scope,
    resource, client_id, created_ip, created_at, updated_at)
  values (access.tenant_id, (minted ->> 'id')::uuid, access.user_id, access.id, (minted ->> 'parent_id')::uuid, minted ->> 'access_hash', minted ->> 'refresh_hash',
    least(v_now + make_interval(secs => (minted ->> 'access_seconds')::integer), access.expires_at),
    least(v_now + make_interval(secs => (minted ->> 'refresh_seconds')::integer), access.expires_at),
    scope, access.resource, access.client_id, app.ip(actor), v_now, v_now)
  returning * into v_token;
  return jsonb_build_object('token_id', v_token.id, 'scope', v_token.scope, 'resource', v_token.resource,
    'expires_in', extract(epoch from v_token.expires_at - v_now)::integer);
end
$$;

-- refresh_token(token_hash, presented {client_id, scope?, resource?, grace_seconds}, minted) -> {scope, resource, expires_in, token_id} or
-- {refused: unknown|client|revoked|expired|reused|stolen|scope|resource|not_a_member}. A refresh token works once, and for the grace time up to a
-- hundred times, each with tokens of its own: processes that share one store refresh at once. After that a use is refused alone (reused), unless what
-- the token gave lives elsewhere: then the grant ends (stolen).
create or replace function public.refresh_token(token_hash text, presented jsonb, minted jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter_workspace(actor);
  v_token public.oauth_tokens;
  v_grant app.oauth_grants;
  v_scope text;
  v_late boolean;
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
  v_late := coalesce(v_token.refresh_used_at + make_interval(secs => (presented ->> 'grace_seconds')::integer) < app.now(), false);
  v_refused := case
    when presented ->> 'client_id' is distinct from v_grant.client_id then 'client'
    when v_grant.revoked_at is not null or v_token.revoked_at is not null then 'revoked'
    when least(v_token.refresh_expires_at, v_grant.expires_at) <= app.now() then 'expired'
    when v_late and app.lives_elsewhere(v_token, app.ip(actor)) then 'stolen'
    when v_late or v_token.refresh_uses >= 100 then 'reused'
    when coalesce(presented ->> 'resource', v_grant.resource) <> v_grant.resource then 'resource'
    when not string_to_array(v_scope, ' ') <@ string_to_array(v_grant.scope, ' ') then 'scope'
    when not exists (select from public.memberships m where m.tenant_id = v_token.tenant_id and m.user_id = v_token.user_id) then 'not_a_member' end;
  if v_refused is not null then
    perform app.audit(jsonb_build_object('type', case when v_refused in ('reused', 'stolen') then 'refresh.reused' else 'refresh.refused' end, 'client_id', v_grant.client_id,
      'subject_id', v_grant.id, 'data', jsonb_build_object('why', v_refused, 'presented_by', left(presented ->> 'client_id', 200))), actor);
    if v_refused = 'stolen' then
      perform app.end_access(jsonb_build_object('id', v_grant.id), 'A refresh token that was used elsewhere came back.', actor);
    end if;
    return jsonb_build_object('refused', v_refused);
  end if;
  update public.oauth_tokens t set refresh_used_at = coalesce(t.refresh_used_at, app.now()), refresh_uses = t.refresh_uses + 1, updated_at = app.now()
    where t.tenant_id = v_token.tenant_id and t.id = v_token.id;
  v_answer := app.mint(v_grant, v_scope, minted || jsonb_build_object('parent_id', v_token.id), actor);
  perform app.audit(jsonb_build_object('type', 'token.refreshed', 'client_id', v_grant.client_id, 'subject_id', v_grant.id), actor);
  return v_answer;
end
$$;

select app.secure_functions();
