-- Actors, their workspace, and the limits of their token.

-- Policies call these and must inline them: no clause, but bodies whose names PostgreSQL resolves here and now.
create or replace function app.get_tenant_id() returns uuid language sql stable
  return nullif(current_setting('app.tenant_id', true), '')::uuid;

create or replace function app.get_caller_id() returns uuid language sql stable
  return nullif(current_setting('app.user_id', true), '')::uuid;

-- Returns the signed-in user of the verified claims, as auth.uid() does. Our functions' owner may not enter a hosted
-- project's schema auth, and the migrating role may not let it in.
create or replace function app.get_signed_in_id() returns uuid language sql stable
  return app.as_uuid(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub');

-- Lists the signed-in user's workspaces; policies read it as `tenant_id in (select app.my_tenants())`, once a
-- statement.
create or replace function app.my_tenants()
  returns setof uuid
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select m.tenant_id from public.memberships m where m.user_id = (select app.get_signed_in_id())
$$;

create or replace function app.role_rank(role text) returns integer language sql immutable as $$
  select case role when 'owner' then 4 when 'admin' then 3 when 'member' then 2 when 'viewer' then 1 else 0 end
$$;

-- Creates a user's personal workspace; it has the user's own id, so that two first calls at once make one.
create or replace function app.provision_user(user_id uuid, name text, email text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := coalesce(app.clean_name(provision_user.name, 200), app.clean_name(provision_user.email, 200), 'user');
begin
  perform set_config('app.user_id', provision_user.user_id::text, true);
  perform set_config('app.tenant_id', provision_user.user_id::text, true);
  -- A user whom only imported events named is called from now on as the server that signs them in says.
  insert into public.users as u (id, name, email) values (provision_user.user_id, v_name, provision_user.email)
    on conflict (id) do update set name = excluded.name, email = excluded.email
    where not exists (select from public.memberships m where m.user_id = u.id);
  insert into public.tenants (id, name) values (provision_user.user_id, v_name) on conflict do nothing;
  insert into app.positions (tenant_id) values (provision_user.user_id) on conflict do nothing;
  insert into public.memberships (tenant_id, user_id, role)
    values (provision_user.user_id, provision_user.user_id, 'owner') on conflict do nothing;
end
$$;

-- Tells whether the server's own role calls, which is trusted to name the actor. `role` is set by SET ROLE (PostgREST
-- does so for each request); a definer function does not change it.
create or replace function app.caller_is_server()
  returns boolean
  language sql
  stable
as $$
  select pg_has_role(coalesce(nullif(current_setting('role', true), 'none'), session_user), 'cairn_server', 'member')
$$;

-- Every callable function begins here. Checks the caller, the workspace, the role, the token of the call and its limit.
-- A name of no project counts as an empty project. Raises unauthenticated, forbidden.
create or replace function app.authenticate(actor jsonb, role_min text default 'viewer')
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  v_actor.user_id := case
    when app.caller_is_server() then app.as_uuid(actor ->> 'user_id')
    else app.get_signed_in_id() end;
  if v_actor.user_id is null then
    perform app.fail('unauthenticated', 'Nobody is signed in.', null, 'Sign in, then try again.');
  end if;
  -- An agent whose name nobody can see is still one, and no person; one that calls itself `system` is not Cairn itself.
  v_actor.agent := coalesce(nullif(app.clean_name(actor ->> 'agent', 120), 'system'),
    case when actor ->> 'agent' <> '' then 'agent' end);
  v_actor.client := app.clean_name(actor ->> 'client', 120);
  v_actor.user_id := set_config('app.user_id', v_actor.user_id::text, true);
  v_actor.tenant_id := app.as_uuid(actor ->> 'tenant_id');
  v_actor.project_id := case when actor ->> 'project_id' is not null
    then coalesce(app.as_uuid(actor ->> 'project_id'), app.get_nil_id()) end;
  v_actor.drives := actor ->> 'drives';
  if actor ? 'proof' then
    v_actor := app.prove_token(v_actor, actor -> 'proof');
  elsif v_actor.tenant_id is null then
    select m.tenant_id, m.role into v_actor.tenant_id, v_actor.role from public.memberships m
      where m.user_id = v_actor.user_id
      order by (m.tenant_id = m.user_id) desc, m.created_at limit 1;
    if not found then
      perform app.provision_user(v_actor.user_id,
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email', null);
      v_actor.tenant_id := v_actor.user_id;
      v_actor.role := 'owner';
    end if;
  else
    select m.role into v_actor.role from public.memberships m
      where m.tenant_id = v_actor.tenant_id and m.user_id = v_actor.user_id;
  end if;
  if app.role_rank(v_actor.role) < app.role_rank(role_min) or v_actor.role is null then
    perform app.fail('forbidden',
      format('This needs the role %s in the workspace; you have %s.', role_min, coalesce(v_actor.role, 'none')),
      null, 'Ask an owner of the workspace.');
  end if;
  -- A token that drives an agent speaks as this agent, whatever name its caller sends.
  v_actor.agent := coalesce(v_actor.drives, v_actor.agent);
  v_actor.tenant_id := set_config('app.tenant_id', v_actor.tenant_id::text, true);
  v_actor.project_id := nullif(set_config('app.project_id', coalesce(v_actor.project_id::text, ''), true), '');
  perform set_config('app.process', coalesce(app.as_uuid(actor ->> 'process')::text, ''), true),
    -- The server alone knows it.
    set_config('app.ip', case when actor ? 'ip' and app.caller_is_server() then actor ->> 'ip' else '' end, true);
  return v_actor;
end
$$;

-- Returns the id for a new user of an identity; Supabase's users already have one.
create or replace function app.user_of(identity jsonb) returns uuid language sql immutable as $$
  select case when identity ->> 'issuer' = 'supabase'
    then app.as_uuid(identity ->> 'subject')
    else encode(substring(sha256(convert_to(
      jsonb_build_array(identity ->> 'issuer', identity ->> 'subject')::text, 'UTF8')) for 16), 'hex')::uuid end
$$;

-- sign_in(identity {issuer, subject, name?, email?}) -> {user_id, tenant_id, role}. Only for the server's role: it
-- vouches for the identity. The first call creates the user and a personal workspace.
create or replace function public.sign_in(identity jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
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
  perform app.provision_user(v_user,
    coalesce(app.clean_name(identity ->> 'name', 200), identity ->> 'subject'), left(identity ->> 'email', 320));
  v_actor := app.authenticate(jsonb_build_object('user_id', v_user)
    || jsonb_strip_nulls(jsonb_build_object('tenant_id', actor ->> 'tenant_id')));
  return jsonb_build_object('user_id', v_actor.user_id, 'tenant_id', v_actor.tenant_id, 'role', v_actor.role);
end
$$;

-- Returns an actor's name in a workspace: as an agent, otherwise through a client.
create or replace function app.actor_name(actor app.actor) returns text language sql immutable
  return coalesce(actor.agent, actor.client, 'user');

create or replace function app.actor_name(event public.events) returns text language sql immutable as $$
  select coalesce(event.actor ->> 'agent', event.actor ->> 'client', 'user')
$$;

-- Rows without a workspace yet (a client that registered itself, a login that has not happened) carry this tenant.
create or replace function app.get_nil_id() returns uuid language sql immutable
  return '00000000-0000-0000-0000-000000000000'::uuid;

-- A row may be found by its secret before its workspace is known: policies open the one row of the presented hash.
create or replace function app.get_credential_hash() returns text language sql stable
  return nullif(current_setting('app.credential_hash', true), '');

-- The project that limits the token of the call; null without a limit.
create or replace function app.get_token_project() returns uuid language sql stable
  return nullif(current_setting('app.project_id', true), '')::uuid;

-- Tells whether the call may reach rows of a project. It is worded so that the planner drops it for a call without a
-- limit.
create or replace function app.token_allows_project(project_id uuid) returns boolean language sql stable
  return (token_allows_project.project_id <> app.get_token_project()) is not true;

-- Protects the workspace's own data, outside of projects. Raises forbidden if the token is limited to a project.
create or replace function app.refuse_limited(actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_slug text;
begin
  if actor.project_id is not null then
    select p.slug into v_slug from public.projects p where p.tenant_id = actor.tenant_id and p.id = actor.project_id;
    perform app.fail('forbidden',
      format('This token is limited to %s.', coalesce('the project ' || v_slug, 'a project that is gone')), null,
      'Other projects, and what concerns all of them, need a token without --project. Ask the person you work for.');
  end if;
end
$$;

-- Tells whether an actor is a person with all rights of their own: no agent, and no token of one project.
create or replace function app.is_person(actor app.actor) returns boolean language sql immutable as $$
  select actor.agent is null and actor.project_id is null
$$;

-- Refuses an agent, and a limited token, what a person alone decides; `what` begins the sentence, as 'What models cost
-- is decided'. Raises forbidden.
create or replace function app.refuse_agent(actor app.actor, what text, command text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.refuse_limited(actor);
  if actor.agent is not null then
    perform app.fail('forbidden', format('%s by a person, not by an agent.', what), null,
      format('Ask the person to run `%s` in a terminal of their own.', command));
  end if;
end
$$;

-- The user of the machine that a server runs on.
create or replace function app.get_local_owner() returns uuid language sql immutable as $$
  select app.user_of('{"issuer": "local", "subject": "owner"}')
$$;

-- Refuses all but the user who runs the server what concerns all workspaces; `what` ends the sentence, as 'says what
-- models cost'. Raises forbidden.
create or replace function app.refuse_guest(actor app.actor, what text, command text)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- Nobody who signs in has this id.
  if actor.user_id <> app.get_local_owner() then
    perform app.fail('forbidden', format('Whoever runs the server %s.', what), null,
      format('Call `%s` on the machine of the server.', command));
  end if;
end
$$;

-- Calls only for the server's own role begin here, before the user is known: they act in no workspace. Raises
-- forbidden.
create or replace function app.authenticate_server(actor jsonb, secret_hash text default null)
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  if not app.caller_is_server() then
    perform app.fail('forbidden', 'Only the server does this.');
  end if;
  v_actor.tenant_id := app.get_nil_id();
  v_actor.client := app.clean_name(actor ->> 'client', 500);
  perform set_config('app.tenant_id', v_actor.tenant_id::text, true), set_config('app.user_id', '', true),
    set_config('app.project_id', '', true), set_config('app.ip', '', true),
    set_config('app.credential_hash', coalesce(secret_hash, ''), true);
  return v_actor;
end
$$;

-- The same in the workspace that a secret names: only this one is searched for its hash. Raises forbidden.
create or replace function app.authenticate_workspace(actor jsonb)
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  v_actor.tenant_id := coalesce(app.as_uuid(actor ->> 'tenant_id'), v_actor.tenant_id);
  perform set_config('app.tenant_id', v_actor.tenant_id::text, true);
  return v_actor;
end
$$;

-- The same for work that nobody asked for, in a workspace: its actor is `system`, which is no person. Raises forbidden.
create or replace function app.authenticate_system(actor jsonb)
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
begin
  v_actor.user_id := app.get_nil_id();
  v_actor.agent := 'system';
  return v_actor;
end
$$;

-- Who records what nobody asked for in a workspace: `system`, for its first owner. Without an owner it has no user.
create or replace function app.system_actor(tenant_id uuid)
  returns app.actor
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  v_actor.tenant_id := system_actor.tenant_id;
  v_actor.agent := 'system';
  select m.user_id, m.role into v_actor.user_id, v_actor.role
    from public.memberships m
    where m.tenant_id = system_actor.tenant_id and m.role = 'owner'
    order by m.created_at, m.user_id limit 1;
  return v_actor;
end
$$;

-- Either that, or a member who is not limited to a project. Raises unauthenticated, forbidden.
create or replace function app.authenticate_reader(actor jsonb)
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  if app.as_uuid(actor ->> 'user_id') = app.get_nil_id() then
    return app.authenticate_system(actor);
  end if;
  v_actor := app.authenticate(actor);
  perform app.refuse_limited(v_actor);
  return v_actor;
end
$$;

-- The same for a person whom the server has authenticated, in a workspace where the role suffices, and without a limit.
-- Raises forbidden, unauthenticated.
create or replace function app.authenticate_person(actor jsonb, role_min text default 'viewer')
  returns app.actor
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor;
begin
  if not app.caller_is_server() then
    perform app.fail('forbidden', 'Only the server does this.');
  end if;
  perform set_config('app.credential_hash', '', true);
  v_actor := app.authenticate(actor, role_min);
  perform app.refuse_limited(v_actor);
  return v_actor;
end
$$;

create or replace function app.read_ip(actor jsonb)
  returns inet
  language sql
  stable
as $$
  select case when app.caller_is_server() then nullif(actor ->> 'ip', '')::inet end
$$;

select app.define_on_tables($triggers$
  create trigger users_clean_name before insert or update of name on public.users
    for each row execute function app.clean_column('name', '200', 'user');

  create trigger users_clean_email before insert or update of email on public.users
    for each row execute function app.clean_column('email', '320', '-');

  create trigger tenants_clean_name before insert or update of name on public.tenants
    for each row execute function app.clean_column('name', '200', 'workspace');

  create trigger user_names_clean before insert or update of name on app.user_names
    for each row execute function app.clean_column('name', '200', 'user');

  create trigger memberships_keep_name before delete on public.memberships
    for each row execute function app.keep_name();
$triggers$);
