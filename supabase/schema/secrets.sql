-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION public.list_secrets(actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_now timestamptz := app.now();
  v_clients text[];
  v_shared jsonb;
  v_own jsonb;
begin
  select array_agg(c.client_id order by c.client_id) into v_clients from app.oauth_clients c
    where c.tenant_id = v_actor.tenant_id and c.client_secret_hash is not null;
  select jsonb_agg(jsonb_strip_nulls(to_jsonb(k))) into v_shared
    from (
      select 'access_token' as kind, count(*) as count, min(t.created_at) as since, max(t.expires_at) as until
      from public.oauth_tokens t
      join app.oauth_grants g on g.tenant_id = t.tenant_id and g.id = t.grant_id
      where t.tenant_id = v_actor.tenant_id
        and t.revoked_at is null
        and g.revoked_at is null
        and least(t.expires_at, g.expires_at) > v_now
      union all
      select 'refresh_token', count(*), min(t.created_at), max(t.refresh_expires_at)
      from public.oauth_tokens t
      join app.oauth_grants g on g.tenant_id = t.tenant_id and g.id = t.grant_id
      where t.tenant_id = v_actor.tenant_id
        and t.revoked_at is null
        and g.revoked_at is null
        and least(t.refresh_expires_at, g.expires_at) > v_now
      union all
      select 'personal_token', count(*), min(t.created_at), max(t.expires_at)
      from public.oauth_tokens t
      where t.tenant_id = v_actor.tenant_id and t.kind = 'pat' and t.revoked_at is null and t.expires_at > v_now
      union all
      select 'client_secret', coalesce(cardinality(v_clients), 0), null, null
      union all
      select 'invitation', count(*), min(i.created_at), max(i.expires_at)
      from app.invitations i
      where i.tenant_id = v_actor.tenant_id
        and i.accepted_at is null
        and i.revoked_at is null
        and i.expires_at > v_now) k;
  perform set_config('app.tenant_id', v_actor.user_id::text, true);
  select jsonb_agg(jsonb_strip_nulls(to_jsonb(k))) into v_own
    from (
      select 'password' as kind, count(*) as count, min(p.updated_at) as since, null::timestamptz as until
      from app.passwords p
      where p.tenant_id = v_actor.user_id
      union all
      select 'session', count(*), min(s.auth_at), max(s.expires_at)
      from app.auth_sessions s
      where s.tenant_id = v_actor.user_id and s.expires_at > v_now
      union all
      select 'login_link', count(*), null, max(c.expires_at)
      from app.login_codes c
      where c.tenant_id = v_actor.user_id and c.expires_at > v_now) k;
  return jsonb_build_object('secrets', v_shared || v_own, 'clients', coalesce(to_jsonb(v_clients), '[]'));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.rotate_secrets(renewed jsonb, everything boolean DEFAULT false, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_person(actor, 'admin');
  v_clients text[];
  v_invitations integer;
  v_sessions integer;
  v_revoked jsonb;
begin
  with changed as (
    update app.oauth_clients c set client_secret_hash = r.client_secret_hash
    from jsonb_to_recordset(renewed) as r (client_id text, client_secret_hash text)
    where c.tenant_id = v_actor.tenant_id and c.client_id = r.client_id and c.client_secret_hash is not null
    returning c.client_id),
  audited as (
    select app.record_audit(jsonb_build_object('type', 'client.secret_rotated', 'client_id', c.client_id), actor)
    from changed c)
  select array_agg(c.client_id) into v_clients
  from changed c
  cross join (select count(*) from audited) t;
  if coalesce(cardinality(v_clients), 0) < jsonb_array_length(renewed) then
    perform app.fail('not_found', 'This workspace has added no client of that name with a secret.', null,
      'List the secrets for those there are.');
  end if;
  if everything then
    update app.invitations i set revoked_at = app.now()
      where i.tenant_id = v_actor.tenant_id and i.accepted_at is null and i.revoked_at is null;
    get diagnostics v_invitations = row_count;
    v_revoked := app.end_access('{}', 'All secrets were replaced.', actor);
    perform set_config('app.tenant_id', v_actor.user_id::text, true);
    delete from app.login_codes c where c.tenant_id = v_actor.user_id;
    delete from app.auth_sessions s where s.tenant_id = v_actor.user_id;
    get diagnostics v_sessions = row_count;
    perform app.record_audit(jsonb_build_object(
      'type', 'session.ended',
      'data', jsonb_build_object('count', v_sessions)), actor);
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'clients', coalesce(to_jsonb(v_clients), '[]'),
    'revoked', v_revoked,
    'invitations', v_invitations,
    'sessions', v_sessions));
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.list_secrets(jsonb) to cairn_server;
grant execute on function public.list_secrets(jsonb) to service_role;
grant execute on function public.rotate_secrets(jsonb,boolean,jsonb) to cairn_server;
grant execute on function public.rotate_secrets(jsonb,boolean,jsonb) to service_role;
