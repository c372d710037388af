-- Who may act: roles, users, workspaces and memberships, and how the actor of a call becomes known.

create schema if not exists app;
comment on schema app is 'Guards, projections and machinery; exposed to nobody.';

-- Roles that Supabase brings, created only where missing, and our own. Another database of the same cluster
-- may create them at this very moment, hence the handler.
do $$
declare
  v_role text;
begin
  foreach v_role in array array['anon', 'authenticated', 'service_role', 'cairn_owner', 'cairn_keeper', 'cairn_server'] loop
    begin
      if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
        execute format('create role %I nologin', v_role);
      end if;
    exception
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then
        raise exception 'The role % is missing and this user may not create it.', v_role
          using hint = format('Let an administrator run: create role %I nologin;', v_role);
    end;
  end loop;
  if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
    execute format('grant cairn_owner, cairn_keeper, cairn_server to %I', current_user);
  end if;
  grant cairn_server to service_role;
end
$$;

do $$
begin
  if to_regnamespace('auth') is null then
    create schema auth;
    grant usage on schema auth to anon, authenticated, service_role;
  end if;
  if to_regprocedure('auth.uid()') is null then
    execute $f$
      create function auth.uid() returns uuid language sql stable as
      $q$ select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid $q$
    $f$;
  end if;
end
$$;

-- The closed table of error codes, each with the HTTP status PostgREST answers with (SQLSTATE PTnnn).
create function app.error_status(code text) returns text language sql immutable as $$
  select case code
    when 'invalid_input' then '400' when 'unauthenticated' then '401' when 'insufficient_scope' then '403'
    when 'forbidden' then '403' when 'not_found' then '404' when 'already_exists' then '409'
    when 'illegal_transition' then '409' when 'version_conflict' then '409' when 'lock_held' then '409'
    when 'lock_lost' then '409' when 'dependency_cycle' then '409' when 'gate_unmet' then '409'
    when 'scope_violation' then '409' when 'idempotency_mismatch' then '409' when 'payload_too_large' then '413'
    when 'rate_limited' then '429' when 'unavailable' then '503' else '500' end
$$;

create function app.fail(code text, message text, details jsonb default null, hint text default null)
  returns void
  language plpgsql
  set search_path = ''
as $$
begin
  raise exception using
    errcode = 'PT' || app.error_status(code),
    message = message,
    detail = jsonb_strip_nulls(jsonb_build_object('code', code, 'details', details))::text,
    hint = coalesce(hint, '');
end
$$;

create function app.now() returns timestamptz language sql volatile as $$ select clock_timestamp() $$;

-- A uuid v7 (RFC 9562, section 5.7): PostgreSQL has its own only from 18 on.
create function app.uuid_v7() returns uuid language sql volatile as $$
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid()) placing
        substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
      52, 1), 53, 1), 'hex')::uuid
$$;

-- The uuid that a text is, or null: 36 characters, of which all but the four dashes are hexadecimal digits. Compared before it is
-- cast, so that a bad one is no exception.
create function app.as_uuid(value text) returns uuid language sql immutable as $$
  select case when value like '________-____-____-____-____________' and translate(value, '0123456789abcdefABCDEF', '') = '----' then value::uuid end
$$;

-- What the door found out about the caller. Believed by policies only for cairn_owner and cairn_keeper, which
-- nobody can become except through a function that has set them. No search_path: it must inline into policies.
create function app.tenant() returns uuid language sql stable as $$
  select nullif(current_setting('app.tenant_id', true), '')::uuid
$$;
create function app.caller() returns uuid language sql stable as $$
  select nullif(current_setting('app.user_id', true), '')::uuid
$$;

-- Who the verified claims say is signed in: what auth.uid() says. Our functions' owner may not enter a hosted project's schema
-- auth, and the one who migrates may not let it in.
create function app.signed_in() returns uuid language sql stable as $$
  select app.as_uuid(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')
$$;

create table public.users (
  id uuid primary key,
  name text not null check (char_length(name) between 1 and 200),
  email text check (char_length(email) <= 320),
  created_at timestamptz not null default now()
);

create table public.tenants (
  id uuid primary key,
  name text not null check (char_length(name) between 1 and 200),
  created_at timestamptz not null default now()
);

create table public.memberships (
  tenant_id uuid not null references public.tenants,
  user_id uuid not null references public.users,
  role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  created_at timestamptz not null default now(),
  primary key (tenant_id, user_id)
);
create index idx_memberships_user_id on public.memberships (user_id, created_at);

-- With a project where the call came with a token that is limited to it.
create type app.actor as (user_id uuid, tenant_id uuid, agent text, client text, role text, project_id uuid);

-- Workspaces of the signed-in user; policies read it as `tenant_id in (select app.my_tenants())`, once a statement.
create function app.my_tenants()
  returns setof uuid
  language sql
  stable
  security definer
  set search_path = ''
as $$
  select m.tenant_id from public.memberships m where m.user_id = (select app.signed_in())
$$;

create function app.role_rank(role text) returns integer language sql immutable as $$
  select case role when 'owner' then 4 when 'admin' then 3 when 'member' then 2 when 'viewer' then 1 else 0 end
$$;

-- A user's personal workspace has the user's own id, so that two first calls at once make one.
create function app.provision_user(user_id uuid, name text, email text)
  returns void
  language plpgsql
  set search_path = ''
as $$
begin
  perform set_config('app.user_id', provision_user.user_id::text, true);
  perform set_config('app.tenant_id', provision_user.user_id::text, true);
  -- Who was only named by imported events is known from now on as who vouches for them says.
  insert into public.users as u (id, name, email) values (provision_user.user_id, provision_user.name, provision_user.email)
    on conflict (id) do update set name = excluded.name, email = excluded.email
    where not exists (select from public.memberships m where m.user_id = u.id);
  insert into public.tenants (id, name) values (provision_user.user_id, provision_user.name) on conflict do nothing;
  insert into app.positions (tenant_id) values (provision_user.user_id) on conflict do nothing;
  insert into public.memberships (tenant_id, user_id, role) values (provision_user.user_id, provision_user.user_id, 'owner') on conflict do nothing;
end
$$;

-- True for the server's own role, whose word on who acts is believed. `role` is what SET ROLE chose (PostgREST
-- does so for each request); a definer function does not change it.
create function app.caller_is_server()
  returns boolean
  language sql
  stable
as $$
  select pg_has_role(coalesce(nullif(current_setting('role', true), 'none'), session_user), 'cairn_server', 'member')
$$;

-- Every callable function begins here: who calls, in which workspace, is the role enough, is the token good that the call came with, and
-- what is it limited to. What is no project is one that nothing belongs to. Raises unauthenticated, forbidden.
create function app.enter(actor jsonb, role_min text default 'viewer')
  returns app.actor
  language plpgsql
  set search_path = ''
as $$
declare
  v_actor app.actor;
begin
  v_actor.user_id := case when app.caller_is_server() then app.as_uuid(actor ->> 'user_id') else app.signed_in() end;
  if v_actor.user_id is null then
    perform app.fail('unauthenticated', 'Nobody is signed in.', null, 'Sign in, then try again.');
  end if;
  v_actor.agent := left(nullif(actor ->> 'agent', ''), 120);
  v_actor.client := left(nullif(actor ->> 'client', ''), 120);
  v_actor.user_id := set_config('app.user_id', v_actor.user_id::text, true);
  v_actor.tenant_id := app.as_uuid(actor ->> 'tenant_id');
  v_actor.project_id := case when actor ->> 'project_id' is not null then coalesce(app.as_uuid(actor ->> 'project_id'), app.nobody()) end;
  if actor ? 'proof' then
    v_actor := app.prove_token(v_actor, actor -> 'proof');
  elsif v_actor.tenant_id is null then
    select m.tenant_id, m.role into v_actor.tenant_id, v_actor.role from public.memberships m
      where m.user_id = v_actor.user_id order by (m.tenant_id = m.user_id) desc, m.created_at limit 1;
    if not found then
      perform app.provision_user(v_actor.user_id, coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email', 'user'), null);
      v_actor.tenant_id := v_actor.user_id;
      v_actor.role := 'owner';
    end if;
  else
    select m.role into v_actor.role from public.memberships m
      where m.tenant_id = v_actor.tenant_id and m.user_id = v_actor.user_id;
  end if;
  if app.role_rank(v_actor.role) < app.role_rank(role_min) or v_actor.role is null then
    perform app.fail('forbidden', format('This needs the role %s in the workspace; you have %s.', role_min, coalesce(v_actor.role, 'none')),
      null, 'Ask an owner of the workspace.');
  end if;
  v_actor.tenant_id := set_config('app.tenant_id', v_actor.tenant_id::text, true);
  v_actor.project_id := nullif(set_config('app.project_id', coalesce(v_actor.project_id::text, ''), true), '');
  return v_actor;
end
$$;

-- The id that a new user of an identity gets; Supabase has given its users one already.
create function app.user_of(identity jsonb) returns uuid language sql immutable as $$
  select case when identity ->> 'issuer' = 'supabase' then app.as_uuid(identity ->> 'subject')
    else encode(substring(sha256(convert_to(jsonb_build_array(identity ->> 'issuer', identity ->> 'subject')::text, 'UTF8')) for 16), 'hex')::uuid end
$$;

-- sign_in(identity {issuer, subject, name?, email?}) -> {user_id, tenant_id, role}. For the server's role alone: it
-- vouches for the identity. The first time it makes the user and a personal workspace.
create function public.sign_in(identity jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
as $$
declare
  v_user uuid := app.user_of(identity);
  v_actor app.actor;
begin
  if not app.caller_is_server() then
    perform app.fail('forbidden', 'Only the server signs users in.');
  end if;
  if coalesce(identity ->> 'issuer', '') = '' or coalesce(identity ->> 'subject', '') = '' then
    perform app.fail('invalid_input', 'An identity has an issuer and a subject.');
  end if;
  perform app.provision_user(v_user, left(coalesce(nullif(identity ->> 'name', ''), identity ->> 'subject'), 200), left(identity ->> 'email', 320));
  v_actor := app.enter(jsonb_build_object('user_id', v_user) || jsonb_strip_nulls(jsonb_build_object('tenant_id', actor ->> 'tenant_id')));
  return jsonb_build_object('user_id', v_actor.user_id, 'tenant_id', v_actor.tenant_id, 'role', v_actor.role);
end
$$;
