-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.browser_bucket(account text, browser_hash text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select 'browser ' || account || ' ' || browser_hash
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_invitation(invitation_hash text, email text, user_id uuid, actor jsonb, OUT invitation app.invitations, OUT refused text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_tenant text := current_setting('app.tenant_id', true);
begin
  select i.* into invitation from app.invitations i where i.invitation_hash = find_invitation.invitation_hash;
  if invitation.id is null then
    refused := 'invitation_unknown';
    return;
  end if;
  perform set_config('app.tenant_id', invitation.tenant_id::text, true);
  -- All roles in the order of set_member, and only then the invitation as it is now: of a removal and an acceptance at
  -- once the second sees what the first did.
  perform from public.memberships m where m.tenant_id = invitation.tenant_id order by m.user_id for update;
  select i.* into invitation from app.invitations i
    where i.tenant_id = invitation.tenant_id and i.id = invitation.id for update;
  refused := case
    when invitation.revoked_at is not null then 'invitation_withdrawn'
    when invitation.accepted_at is not null then 'invitation_used'
    when invitation.expires_at <= app.now() then 'invitation_expired'
    when not app.may_invite((
          select m.role from public.memberships m
          where m.tenant_id = invitation.tenant_id and m.user_id = invitation.invited_by),
        invitation.role)
      then 'invitation_lapsed'
    when lower(invitation.email) <> coalesce(lower(find_invitation.email), '') then 'invitation_of_another' end;
  if refused is not null
      and not exists (
        select from app.auth_events e
        where e.tenant_id = invitation.tenant_id
          and e.subject_id = invitation.id
          and e.type = 'invitation.refused'
          and e.at > app.now() - interval '1 minute') then
    perform app.record_audit(jsonb_build_object('type', 'invitation.refused', 'user_id', find_invitation.user_id,
      'subject_id', invitation.id,
      'data', jsonb_build_object('why', refused, 'role', invitation.role, 'invited_by', invitation.invited_by)), actor);
    if refused in ('invitation_withdrawn', 'invitation_lapsed') then
      perform app.raise_alert('invitation_misused', 'high', 'Somebody opened an invitation that no longer holds.',
        jsonb_build_object('invitation', invitation.id, 'why', refused, 'role', invitation.role),
        'invitation_misused:' || invitation.id);
    end if;
  end if;
  perform set_config('app.tenant_id', coalesce(v_tenant, ''), true);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.join_workspace(invitation app.invitations, user_id uuid, actor jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform set_config('app.tenant_id', invitation.tenant_id::text, true), set_config('app.user_id', user_id::text, true);
  update app.invitations i set accepted_at = app.now(), accepted_by = join_workspace.user_id
    where i.tenant_id = invitation.tenant_id and i.id = invitation.id and i.accepted_at is null;
  if not found then
    perform app.fail('already_exists', 'The invitation was accepted already.', null,
      'Ask an admin of the workspace for a new one.');
  end if;
  insert into public.memberships as m (tenant_id, user_id, role)
    values (invitation.tenant_id, join_workspace.user_id, invitation.role)
    on conflict on constraint memberships_pkey do update set role = excluded.role
      where app.role_rank(excluded.role) > app.role_rank(m.role);
  perform app.record_audit(jsonb_build_object(
    'type', 'invitation.accepted',
    'subject_id', invitation.id,
    'data', jsonb_build_object('role', invitation.role)), actor);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.known_user(identity jsonb, terms jsonb)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_user uuid;
begin
  select i.user_id into v_user from app.user_identities i
    where i.tenant_id = app.get_nil_id() and i.issuer = identity ->> 'issuer' and i.subject = identity ->> 'subject';
  if v_user is null and (terms ->> 'link_email')::boolean and (identity ->> 'email_verified')::boolean then
    select case when count(distinct i.user_id) = 1 then (array_agg(i.user_id))[1] end into v_user
      from app.user_identities i
      where i.tenant_id = app.get_nil_id() and i.email_verified and lower(i.email) = lower(identity ->> 'email');
  end if;
  return v_user;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.accept_invitation(invitation_hash text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_person(actor);
  v_found record;
  v_invitation app.invitations;
  v_refused text;
begin
  perform set_config('app.credential_hash', invitation_hash, true);
  select * into v_found
    from app.find_invitation(accept_invitation.invitation_hash,
      (
        select i.email from app.user_identities i
        where i.user_id = v_actor.user_id and i.email_verified
        order by i.last_login_at desc limit 1),
      v_actor.user_id, actor);
  v_invitation := v_found.invitation;
  v_refused := v_found.refused;
  if v_refused is not null then
    return jsonb_build_object('refused', v_refused);
  end if;
  perform app.join_workspace(v_invitation, v_actor.user_id, actor);
  return (select jsonb_build_object('tenant_id', t.id, 'name', t.name, 'role', v_invitation.role)
    from public.tenants t where t.id = v_invitation.tenant_id);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.admit_browser(account text, browser jsonb, buckets jsonb DEFAULT '[]'::jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  update app.rates a set count = greatest(a.count - 1, 0)
    where a.tenant_id = v_actor.tenant_id and a.bucket in (select jsonb_array_elements_text(buckets));
  delete from app.rates a
    where a.tenant_id = v_actor.tenant_id and a.bucket = app.browser_bucket(account, browser ->> 'replaces_hash');
  insert into app.rates (tenant_id, bucket, count, ends_at)
  values (v_actor.tenant_id, app.browser_bucket(account, browser ->> 'browser_hash'), 0,
    app.now() + make_interval(secs => (browser ->> 'ttl_seconds')::integer));
  return '{}';
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.admit_identity(identity jsonb, terms jsonb DEFAULT '{}'::jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor, terms ->> 'invitation_hash');
  v_user uuid := app.known_user(identity, terms);
  v_created boolean := v_user is null;
  v_found record;
  v_invitation app.invitations;
  v_refused text := case when v_user is null and not coalesce((terms ->> 'open')::boolean, false)
    then 'sign_up_closed' end;
begin
  if terms ->> 'invitation_hash' is not null then
    select * into v_found from app.find_invitation(terms ->> 'invitation_hash',
      case when (identity ->> 'email_verified')::boolean then identity ->> 'email' end, v_user, actor);
    v_invitation := v_found.invitation;
    v_refused := v_found.refused;
  end if;
  if v_refused is not null then
    perform app.record_audit(jsonb_build_object('type', 'login.refused',
      'data', jsonb_build_object('why', v_refused, 'issuer', left(identity ->> 'issuer', 200))), actor);
    return jsonb_build_object('refused', v_refused);
  end if;
  v_user := coalesce(v_user, app.user_of(identity));
  perform app.provision_user(v_user,
    left(coalesce(nullif(identity ->> 'name', ''), nullif(identity ->> 'email', ''), identity ->> 'subject'), 200),
    left(identity ->> 'email', 320));
  if v_invitation.id is not null then
    perform app.join_workspace(v_invitation, v_user, actor);
  end if;
  perform set_config('app.tenant_id', app.get_nil_id()::text, true);
  insert into app.user_identities as i (tenant_id, issuer, subject, user_id, email, email_verified, created_at,
    last_login_at)
    values (app.get_nil_id(), identity ->> 'issuer', identity ->> 'subject', v_user, left(identity ->> 'email', 320),
      coalesce((identity ->> 'email_verified')::boolean, false), app.now(), app.now())
    on conflict (tenant_id, issuer, subject) do update
      set email = excluded.email, email_verified = excluded.email_verified, last_login_at = excluded.last_login_at;
  return jsonb_build_object('user_id', v_user, 'created', v_created);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.end_session(session_hash text, everywhere boolean DEFAULT false, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor, session_hash);
  v_user uuid := (select s.user_id from app.auth_sessions s where s.session_hash = end_session.session_hash);
  v_ended integer;
begin
  if v_user is null then
    return jsonb_build_object('ended', 0);
  end if;
  perform set_config('app.tenant_id', v_user::text, true), set_config('app.user_id', v_user::text, true);
  delete from app.auth_sessions s
    where s.tenant_id = v_user and (everywhere or s.session_hash = end_session.session_hash);
  get diagnostics v_ended = row_count;
  perform app.record_audit(
    jsonb_build_object('type', 'session.ended', 'data', jsonb_build_object('count', v_ended)), actor);
  return jsonb_build_object('ended', v_ended);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.get_password(actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_person(actor - 'tenant_id');
begin
  perform set_config('app.tenant_id', v_actor.user_id::text, true);
  return coalesce((
    select jsonb_build_object('password_hash', p.password_hash)
    from app.passwords p
    where p.tenant_id = v_actor.user_id), '{}');
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.get_session(session_hash text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor, session_hash);
  v_session app.auth_sessions;
  v_now timestamptz;
begin
  select s.* into v_session from app.auth_sessions s where s.session_hash = get_session.session_hash;
  if not found then
    return '{}';
  end if;
  perform set_config('app.tenant_id', v_session.tenant_id::text, true),
    set_config('app.user_id', v_session.user_id::text, true);
  v_now := app.now();
  if least(v_session.expires_at, v_session.last_seen_at + make_interval(secs => v_session.idle_seconds)) <= v_now then
    return '{}';
  end if;
  if v_session.last_seen_at < v_now - interval '1 minute' then
    update app.auth_sessions s set last_seen_at = v_now
      where s.tenant_id = v_session.tenant_id and s.session_hash = v_session.session_hash;
  end if;
  return (
    select jsonb_strip_nulls(jsonb_build_object(
      'user_id', u.id,
      'name', u.name,
      'email', u.email,
      'amr', v_session.amr,
      'auth_at', v_session.auth_at,
      'expires_at', v_session.expires_at,
      'workspaces', app.list_workspaces(u.id)))
    from public.users u
    where u.id = v_session.user_id);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.save_login_code(code_hash text, ttl_seconds integer, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_person(actor - 'tenant_id');
  v_expires timestamptz := app.now() + make_interval(secs => ttl_seconds);
begin
  perform set_config('app.tenant_id', v_actor.user_id::text, true);
  delete from app.login_codes c where c.tenant_id = v_actor.user_id;
  insert into app.login_codes (tenant_id, code_hash, user_id, expires_at)
    values (v_actor.user_id, save_login_code.code_hash, v_actor.user_id, v_expires);
  return jsonb_build_object('expires_at', v_expires);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.set_password(password_hash text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_person(actor - 'tenant_id');
begin
  perform set_config('app.tenant_id', app.get_nil_id()::text, true);
  delete from app.rates a
    where a.tenant_id = app.get_nil_id()
      and a.bucket > app.browser_bucket(v_actor.user_id::text, '')
      and a.bucket < app.browser_bucket(v_actor.user_id::text, 'g');
  perform set_config('app.tenant_id', v_actor.user_id::text, true);
  insert into app.passwords as p (tenant_id, user_id, password_hash, updated_at)
    values (v_actor.user_id, v_actor.user_id, set_password.password_hash, app.now())
    on conflict (tenant_id, user_id) do update
      set password_hash = excluded.password_hash, updated_at = excluded.updated_at;
  delete from app.auth_sessions s where s.tenant_id = v_actor.user_id;
  perform app.record_audit(jsonb_build_object('type', 'password.set'), actor);
  return '{}';
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.start_login(login jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  insert into app.login_states (tenant_id, state_hash, txn_hash, provider, next, expires_at)
  values (v_actor.tenant_id, login ->> 'state_hash', login ->> 'txn_hash', login ->> 'provider', login ->> 'next',
    app.now() + make_interval(secs => (login ->> 'ttl_seconds')::integer));
  return '{}';
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.start_session(session jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_person(actor - 'tenant_id');
  v_now timestamptz := app.now();
  v_expires timestamptz := v_now + make_interval(secs => (session ->> 'max_seconds')::integer);
begin
  perform set_config('app.tenant_id', v_actor.user_id::text, true);
  insert into app.auth_sessions (tenant_id, session_hash, user_id, amr, auth_at, last_seen_at, idle_seconds,
    expires_at, created_ip)
    values (v_actor.user_id, session ->> 'session_hash', v_actor.user_id,
      array(select jsonb_array_elements_text(session -> 'amr')), v_now, v_now, (session ->> 'idle_seconds')::integer,
      v_expires, app.read_ip(actor));
  perform app.record_audit(jsonb_build_object(
    'type', 'session.started',
    'data', jsonb_build_object('amr', session -> 'amr')), actor);
  return jsonb_build_object('expires_at', v_expires);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.take_attempt(bucket text, attempts_max integer, window_seconds integer, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return app.take_rate(bucket, attempts_max, window_seconds);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.take_known_attempt(account text, browser_hash text, attempts_max integer, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  update app.rates a set count = a.count + 1
    where a.tenant_id = v_actor.tenant_id
      and a.bucket = app.browser_bucket(account, browser_hash)
      and a.ends_at > app.now()
      and a.count < attempts_max;
  return jsonb_build_object('known', found);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.take_login(state_hash text, txn_hash text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
  v_login app.login_states;
begin
  delete from app.login_states l
    where l.tenant_id = v_actor.tenant_id
      and l.state_hash = take_login.state_hash
      and l.txn_hash = take_login.txn_hash
      and l.expires_at > app.now()
    returning l.* into v_login;
  return case when found then jsonb_build_object('provider', v_login.provider, 'next', v_login.next) else '{}' end;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.take_login_code(code_hash text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor, code_hash);
  v_code app.login_codes;
begin
  select c.* into v_code from app.login_codes c where c.code_hash = take_login_code.code_hash;
  perform set_config('app.tenant_id', coalesce(v_code.tenant_id, app.get_nil_id())::text, true);
  delete from app.login_codes c
    where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash and c.expires_at > app.now();
  return case when found then jsonb_build_object('user_id', v_code.user_id) else '{}' end;
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.accept_invitation(text,jsonb) to cairn_server;
grant execute on function public.accept_invitation(text,jsonb) to service_role;
grant execute on function public.admit_browser(text,jsonb,jsonb,jsonb) to cairn_server;
grant execute on function public.admit_browser(text,jsonb,jsonb,jsonb) to service_role;
grant execute on function public.admit_identity(jsonb,jsonb,jsonb) to cairn_server;
grant execute on function public.admit_identity(jsonb,jsonb,jsonb) to service_role;
grant execute on function public.end_session(text,boolean,jsonb) to cairn_server;
grant execute on function public.end_session(text,boolean,jsonb) to service_role;
grant execute on function public.get_password(jsonb) to cairn_server;
grant execute on function public.get_password(jsonb) to service_role;
grant execute on function public.get_session(text,jsonb) to cairn_server;
grant execute on function public.get_session(text,jsonb) to service_role;
grant execute on function public.save_login_code(text,integer,jsonb) to cairn_server;
grant execute on function public.save_login_code(text,integer,jsonb) to service_role;
grant execute on function public.set_password(text,jsonb) to cairn_server;
grant execute on function public.set_password(text,jsonb) to service_role;
grant execute on function public.start_login(jsonb,jsonb) to cairn_server;
grant execute on function public.start_login(jsonb,jsonb) to service_role;
grant execute on function public.start_session(jsonb,jsonb) to cairn_server;
grant execute on function public.start_session(jsonb,jsonb) to service_role;
grant execute on function public.take_attempt(text,integer,integer,jsonb) to cairn_server;
grant execute on function public.take_attempt(text,integer,integer,jsonb) to service_role;
grant execute on function public.take_known_attempt(text,text,integer,jsonb) to cairn_server;
grant execute on function public.take_known_attempt(text,text,integer,jsonb) to service_role;
grant execute on function public.take_login(text,text,jsonb) to cairn_server;
grant execute on function public.take_login(text,text,jsonb) to service_role;
grant execute on function public.take_login_code(text,jsonb) to cairn_server;
grant execute on function public.take_login_code(text,jsonb) to service_role;
