-- Rights end with the role that they came from, the audit is cut to size, nobody uses up the tries of somebody else,
-- and a server may ask which clients a person has let in.

-- Cuts what is larger than an audit row may be, and marks it: an event is recorded however much a stranger sent along.
create function app.cut_audited(data jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_max constant integer := 4096;
  v_cut jsonb;
begin
  if pg_column_size(data) <= v_max then
    return data;
  end if;
  select jsonb_object_agg(left(d.key, 60), case jsonb_typeof(d.value)
      when 'string' then to_jsonb(left(d.value #>> '{}', 300))
      when 'array' then (select jsonb_agg(left(e.value, 100))
        from jsonb_array_elements_text(d.value) with ordinality e where e.ordinality <= 5)
      when 'object' then to_jsonb(left(d.value::text, 300))
      else d.value end) || '{"cut": true}'
    into v_cut from jsonb_each(data) d;
  return case when pg_column_size(v_cut) <= v_max then v_cut
    else jsonb_build_object('cut', true, 'begins', left(data::text, 500)) end;
end
$$;

create or replace function app.audit(event jsonb, actor jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into app.auth_events (tenant_id, at, type, user_id, client_id, subject_id, ip, data)
  values (app.tenant(), app.now(), event ->> 'type', coalesce(app.as_uuid(event ->> 'user_id'), app.caller()),
    left(event ->> 'client_id', 500), app.as_uuid(event ->> 'subject_id'), app.ip(actor),
    app.cut_audited(coalesce(jsonb_strip_nulls(event -> 'data'), '{}')));
end
$$;

create function app.may_invite(inviter_role text, role text) returns boolean language sql immutable as $$
  select app.role_rank(inviter_role) >= app.role_rank('admin') and (role <> 'owner' or inviter_role = 'owner')
$$;

-- Finds the invitation that a secret opens, or why not, for somebody with this e-mail address; call with the hash
-- presented. It lasts no longer than its maker's right to make it. A refusal stays on the record of its workspace,
-- once a minute.
drop function app.find_invitation(text, text);
create function app.find_invitation(invitation_hash text, email text, user_id uuid, actor jsonb,
    out invitation app.invitations, out refused text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
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
    when not app.may_invite((select m.role from public.memberships m
        where m.tenant_id = invitation.tenant_id and m.user_id = invitation.invited_by), invitation.role) then 'invitation_lapsed'
    when lower(invitation.email) <> coalesce(lower(find_invitation.email), '') then 'invitation_of_another' end;
  if refused is not null and not exists (select from app.auth_events e where e.tenant_id = invitation.tenant_id
      and e.subject_id = invitation.id and e.type = 'invitation.refused' and e.at > app.now() - interval '1 minute') then
    perform app.audit(jsonb_build_object('type', 'invitation.refused', 'user_id', find_invitation.user_id,
      'subject_id', invitation.id,
      'data', jsonb_build_object('why', refused, 'role', invitation.role, 'invited_by', invitation.invited_by)), actor);
  end if;
  perform set_config('app.tenant_id', coalesce(v_tenant, ''), true);
end
$$;

-- admit_identity(identity {issuer, subject, name?, email?, email_verified?}, terms {open?, link_email?,
-- invitation_hash?}) -> {user_id, created} or {refused:
-- sign_up_closed|invitation_unknown|invitation_withdrawn|invitation_used|invitation_expired|
-- invitation_lapsed|invitation_of_another}. The server vouches for the identity; a new one is let in when `open` (an
-- allow-list matched) or with an invitation, which anybody may bring to join its workspace.
create or replace function public.admit_identity(identity jsonb, terms jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter_server(actor, terms ->> 'invitation_hash');
  v_user uuid := app.known_user(identity, terms);
  v_created boolean := v_user is null;
  v_found record;
  v_invitation app.invitations;
  v_refused text := case when v_user is null and not coalesce((terms ->> 'open')::boolean, false) then 'sign_up_closed' end;
begin
  if terms ->> 'invitation_hash' is not null then
    select * into v_found from app.find_invitation(terms ->> 'invitation_hash',
      case when (identity ->> 'email_verified')::boolean then identity ->> 'email' end, v_user, actor);
    v_invitation := v_found.invitation;
    v_refused := v_found.refused;
  end if;
  if v_refused is not null then
    perform app.audit(jsonb_build_object('type', 'login.refused',
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
  perform set_config('app.tenant_id', app.nobody()::text, true);
  insert into app.user_identities as i (tenant_id, issuer, subject, user_id, email, email_verified, created_at, last_login_at)
  values (app.nobody(), identity ->> 'issuer', identity ->> 'subject', v_user, left(identity ->> 'email', 320),
    coalesce((identity ->> 'email_verified')::boolean, false), app.now(), app.now())
  on conflict (tenant_id, issuer, subject) do update set email = excluded.email, email_verified = excluded.email_verified,
    last_login_at = excluded.last_login_at;
  return jsonb_build_object('user_id', v_user, 'created', v_created);
end
$$;

-- accept_invitation(invitation_hash) -> {tenant_id, name, role} or {refused}: for a person who is signed in.
create or replace function public.accept_invitation(invitation_hash text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter_person(actor);
  v_found record;
  v_invitation app.invitations;
  v_refused text;
begin
  perform set_config('app.presented', invitation_hash, true);
  select * into v_found from app.find_invitation(accept_invitation.invitation_hash, (
    select i.email from app.user_identities i where i.user_id = v_actor.user_id and i.email_verified
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
$$;

-- Withdraws, in the workspace that the door is in, what a member who has this role now, or none, may no longer have
-- made, and what would give the member back what was taken: an invitation for any address that opens it to the member.
-- Answers how many.
create function app.withdraw_invitations(member uuid, role text, actor jsonb)
  returns integer
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant text := current_setting('app.tenant_id', true);
  v_emails text[];
  v_count integer;
begin
  perform set_config('app.tenant_id', app.nobody()::text, true);
  v_emails := array(select lower(i.email) from app.user_identities i
    where i.tenant_id = app.nobody() and i.user_id = member and i.email_verified);
  perform set_config('app.tenant_id', v_tenant, true);
  with withdrawn as (
    update app.invitations i set revoked_at = app.now()
      where i.tenant_id = app.tenant() and i.accepted_at is null and i.revoked_at is null
        and (i.invited_by = member and not app.may_invite(withdraw_invitations.role, i.role)
          or lower(i.email) = any (v_emails) and app.role_rank(i.role) > app.role_rank(withdraw_invitations.role))
      returning i.id, i.role),
    told as (select app.audit(jsonb_build_object('type', 'invitation.revoked', 'subject_id', w.id,
      'data', jsonb_build_object('why', 'member_changed', 'role', w.role, 'member', member)), actor) from withdrawn w)
  select count(*) into v_count from withdrawn w cross join (select count(*) from told) t;
  return v_count;
end
$$;

-- set_member(user_id, role?) -> {role?, revoked?, invitations?}: gives a member another role, or without one removes
-- the member, whose access ends at once. Invitations that the member made beyond the role end too, and their number
-- is told. For admins; only an owner changes owners, and the last owner stays.
create or replace function public.set_member(user_id text, role text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter_person(actor, 'admin');
  v_user uuid := app.as_uuid(set_member.user_id);
  v_before text;
  v_withdrawn jsonb;
begin
  perform app.require_known_role(role);
  -- All roles of the workspace, in one order: two owners who demote each other at once would leave none.
  perform from public.memberships m where m.tenant_id = v_actor.tenant_id order by m.user_id for update;
  select m.role into v_before from public.memberships m where m.tenant_id = v_actor.tenant_id and m.user_id = v_user;
  if v_before is null then
    perform app.fail('not_found', 'There is no such member.', null, 'List the members for their ids.');
  elsif 'owner' in (v_before, role) then
    perform app.require_role(v_actor, 'owner', 'Changing an owner');
    if v_before = 'owner' and role is distinct from 'owner'
        and (select count(*) from public.memberships m where m.tenant_id = v_actor.tenant_id and m.role = 'owner') = 1 then
      perform app.fail('forbidden', 'The last owner stays.', null, 'Make somebody else an owner first.');
    end if;
  end if;
  perform app.audit(jsonb_build_object('type', case when role is null then 'member.removed' else 'member.changed' end,
    'user_id', v_user,
    'data', jsonb_build_object('before', v_before, 'role', role, 'by', v_actor.user_id)), actor);
  v_withdrawn := jsonb_strip_nulls(jsonb_build_object('invitations',
    nullif(app.withdraw_invitations(v_user, role, actor), 0)));
  if role is not null then
    update public.memberships m set role = set_member.role where m.tenant_id = v_actor.tenant_id and m.user_id = v_user;
    return jsonb_build_object('role', role) || v_withdrawn;
  end if;
  delete from public.memberships m where m.tenant_id = v_actor.tenant_id and m.user_id = v_user;
  return v_withdrawn || jsonb_build_object('revoked',
    app.end_access(jsonb_build_object('user_id', v_user), 'The member was removed.', actor));
end
$$;

-- In the order of its bytes, so that the primary key finds the buckets that begin alike.
alter table app.auth_attempts alter column bucket type text collate "C";

-- Names the bucket of a browser that signed in to an account before. Nobody else can use up its tries.
create function app.browser_bucket(account text, browser_hash text) returns text language sql immutable as $$
  select 'browser ' || account || ' ' || browser_hash
$$;

-- take_known_attempt(account, browser_hash, attempts_max) -> {known}: one of the tries that a browser has between
-- two times that it signs in to the account; false where it never did, or has none left.
create function public.take_known_attempt(account text, browser_hash text, attempts_max integer, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter_server(actor);
begin
  update app.auth_attempts a set count = a.count + 1
    where a.tenant_id = v_actor.tenant_id
      and a.bucket = app.browser_bucket(account, browser_hash)
      and a.ends_at > app.now()
      and a.count < attempts_max;
  return jsonb_build_object('known', found);
end
$$;

-- admit_browser(account, browser {browser_hash, replaces_hash?, ttl_seconds}, buckets [text]) -> {}: somebody signed
-- in. The tries that it took, in these buckets, are given back, and the browser is known from now on; the secret
-- that it had before no longer is.
create function public.admit_browser(account text, browser jsonb, buckets jsonb default '[]', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter_server(actor);
begin
  update app.auth_attempts a set count = greatest(a.count - 1, 0)
    where a.tenant_id = v_actor.tenant_id and a.bucket in (select jsonb_array_elements_text(buckets));
  delete from app.auth_attempts a
    where a.tenant_id = v_actor.tenant_id and a.bucket = app.browser_bucket(account, browser ->> 'replaces_hash');
  insert into app.auth_attempts (tenant_id, bucket, count, ends_at)
  values (v_actor.tenant_id, app.browser_bucket(account, browser ->> 'browser_hash'), 0,
    app.now() + make_interval(secs => (browser ->> 'ttl_seconds')::integer));
  return '{}';
end
$$;

-- set_password(password_hash) -> {}: of the actor. Ends the sessions that the old one opened, and what their
-- browsers were known by: buckets that end in a hash in hex, which is before "g".
create or replace function public.set_password(password_hash text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter_person(actor - 'tenant_id');
begin
  perform set_config('app.tenant_id', app.nobody()::text, true);
  delete from app.auth_attempts a
    where a.tenant_id = app.nobody()
      and a.bucket > app.browser_bucket(v_actor.user_id::text, '')
      and a.bucket < app.browser_bucket(v_actor.user_id::text, 'g');
  perform set_config('app.tenant_id', v_actor.user_id::text, true);
  insert into app.passwords as p (tenant_id, user_id, password_hash, updated_at)
  values (v_actor.user_id, v_actor.user_id, set_password.password_hash, app.now())
    on conflict (tenant_id, user_id) do update set password_hash = excluded.password_hash, updated_at = excluded.updated_at;
  delete from app.auth_sessions s where s.tenant_id = v_actor.user_id;
  perform app.audit(jsonb_build_object('type', 'password.set'), actor);
  return '{}';
end
$$;

-- trusts_client(client_id, redirect_host?) -> {trusted}: whether the actor lets the client in now, in any workspace,
-- with its answers going there if a host is named.
create function public.trusts_client(client_id text, redirect_host text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter_person(actor);
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
