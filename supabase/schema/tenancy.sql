-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Types

create type app.actor as (
  user_id uuid,
  tenant_id uuid,
  agent text,
  client text,
  role text,
  project_id uuid,
  drives text
);

-- Tables

create table app.presence (
  tenant_id uuid not null,
  process uuid not null,
  user_id uuid not null,
  agent text,
  client text,
  watched boolean not null,
  started_at timestamp with time zone not null,
  beat_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  constraint presence_pkey PRIMARY KEY (tenant_id, user_id, process),
  constraint presence_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint presence_agent_check CHECK ((char_length(agent) <= 120)),
  constraint presence_client_check CHECK ((char_length(client) <= 120))
) with (fillfactor=50);
alter table app.presence enable row level security;
alter table app.presence force row level security;
create policy door on app.presence as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));

create table app.user_names (
  tenant_id uuid not null,
  user_id uuid not null,
  name text not null,
  constraint user_names_pkey PRIMARY KEY (tenant_id, user_id),
  constraint user_names_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint user_names_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200)))
);
CREATE TRIGGER user_names_clean BEFORE INSERT OR UPDATE OF name ON app.user_names FOR EACH ROW EXECUTE FUNCTION app.clean_column('name', '200', 'user');
alter table app.user_names enable row level security;
alter table app.user_names force row level security;
create policy door on app.user_names as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));

create table public.memberships (
  tenant_id uuid not null,
  user_id uuid not null,
  role text not null,
  created_at timestamp with time zone default now() not null,
  constraint memberships_pkey PRIMARY KEY (tenant_id, user_id),
  constraint memberships_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id),
  constraint memberships_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'member'::text, 'viewer'::text])))
);
CREATE INDEX idx_memberships_user_id ON public.memberships USING btree (user_id, created_at);
CREATE TRIGGER memberships_keep_name BEFORE DELETE ON public.memberships FOR EACH ROW EXECUTE FUNCTION app.keep_name();
alter table public.memberships enable row level security;
alter table public.memberships force row level security;
create policy door on public.memberships as permissive for all to cairn_owner using (((tenant_id = app.get_tenant_id()) OR (user_id = ANY (ARRAY[app.get_caller_id(), app.get_signed_in_id()])))) with check ((tenant_id = app.get_tenant_id()));
create policy own_select on public.memberships as permissive for select to authenticated using ((user_id = ( SELECT auth.uid() AS uid)));
create policy owners on public.memberships as permissive for select to cairn_keeper using ((role = 'owner'::text));

create table public.tenants (
  id uuid not null,
  name text not null,
  created_at timestamp with time zone default now() not null,
  agent_enabled boolean default true not null,
  agent_settings jsonb default '{}'::jsonb not null,
  constraint tenants_pkey PRIMARY KEY (id),
  constraint tenants_agent_settings_check CHECK ((jsonb_typeof(agent_settings) = 'object'::text)),
  constraint tenants_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200)))
);
CREATE TRIGGER tenants_clean_name BEFORE INSERT OR UPDATE OF name ON public.tenants FOR EACH ROW EXECUTE FUNCTION app.clean_column('name', '200', 'workspace');
alter table public.tenants enable row level security;
alter table public.tenants force row level security;
create policy door on public.tenants as permissive for all to cairn_owner using ((id = app.get_tenant_id())) with check ((id = app.get_tenant_id()));
create policy member on public.tenants as permissive for select to cairn_owner using ((id IN ( SELECT m.tenant_id
   FROM public.memberships m
  WHERE (m.user_id = ( SELECT app.get_caller_id() AS get_caller_id)))));
create policy own_select on public.tenants as permissive for select to authenticated using ((id IN ( SELECT app.my_tenants() AS my_tenants)));

create table public.users (
  id uuid not null,
  name text not null,
  email text,
  created_at timestamp with time zone default now() not null,
  constraint users_pkey PRIMARY KEY (id),
  constraint users_email_check CHECK ((char_length(email) <= 320)),
  constraint users_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200)))
);
CREATE TRIGGER users_clean_email BEFORE INSERT OR UPDATE OF email ON public.users FOR EACH ROW EXECUTE FUNCTION app.clean_column('email', '320', '-');
CREATE TRIGGER users_clean_name BEFORE INSERT OR UPDATE OF name ON public.users FOR EACH ROW EXECUTE FUNCTION app.clean_column('name', '200', 'user');
alter table public.users enable row level security;
alter table public.users force row level security;
create policy door_insert on public.users as permissive for insert to cairn_owner with check (true);
create policy door_read on public.users as permissive for select to cairn_owner using (((id = app.get_caller_id()) OR (EXISTS ( SELECT
   FROM public.memberships m
  WHERE ((m.tenant_id = app.get_tenant_id()) AND (m.user_id = users.id))))));
create policy door_update on public.users as permissive for update to cairn_owner using ((id = app.get_caller_id())) with check ((id = app.get_caller_id()));
create policy own_select on public.users as permissive for select to authenticated using ((id = ( SELECT auth.uid() AS uid)));

-- Functions

CREATE OR REPLACE FUNCTION app.actor_name(actor app.actor)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
RETURN COALESCE((actor).agent, (actor).client, 'user'::text);
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.actor_name(event public.events)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select coalesce(event.actor ->> 'agent', event.actor ->> 'client', 'user')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.authenticate(actor jsonb, role_min text DEFAULT 'viewer'::text)
 RETURNS app.actor
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.authenticate_person(actor jsonb, role_min text DEFAULT 'viewer'::text)
 RETURNS app.actor
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.authenticate_reader(actor jsonb)
 RETURNS app.actor
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.authenticate_server(actor jsonb, secret_hash text DEFAULT NULL::text)
 RETURNS app.actor
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.authenticate_system(actor jsonb)
 RETURNS app.actor
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
begin
  v_actor.user_id := app.get_nil_id();
  v_actor.agent := 'system';
  return v_actor;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.authenticate_workspace(actor jsonb)
 RETURNS app.actor
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  v_actor.tenant_id := coalesce(app.as_uuid(actor ->> 'tenant_id'), v_actor.tenant_id);
  perform set_config('app.tenant_id', v_actor.tenant_id::text, true);
  return v_actor;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.caller_is_server()
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select pg_has_role(coalesce(nullif(current_setting('role', true), 'none'), session_user), 'cairn_server', 'member')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_caller_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE
RETURN (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_credential_hash()
 RETURNS text
 LANGUAGE sql
 STABLE
RETURN NULLIF(current_setting('app.credential_hash'::text, true), ''::text);
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_local_owner()
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select app.user_of('{"issuer": "local", "subject": "owner"}')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_nil_id()
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE
RETURN '00000000-0000-0000-0000-000000000000'::uuid;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_signed_in_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE
RETURN app.as_uuid(((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb ->> 'sub'::text));
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_tenant_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE
RETURN (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.get_token_project()
 RETURNS uuid
 LANGUAGE sql
 STABLE
RETURN (NULLIF(current_setting('app.project_id'::text, true), ''::text))::uuid;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_person(actor app.actor)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select actor.agent is null and actor.project_id is null
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.my_tenants()
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select m.tenant_id from public.memberships m where m.user_id = (select app.get_signed_in_id())
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.provision_user(user_id uuid, name text, email text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.read_ip(actor jsonb)
 RETURNS inet
 LANGUAGE sql
 STABLE
AS $function$
  select case when app.caller_is_server() then nullif(actor ->> 'ip', '')::inet end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.refuse_agent(actor app.actor, what text, command text)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform app.refuse_limited(actor);
  if actor.agent is not null then
    perform app.fail('forbidden', format('%s by a person, not by an agent.', what), null,
      format('Ask the person to run `%s` in a terminal of their own.', command));
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.refuse_guest(actor app.actor, what text, command text)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  -- Nobody who signs in has this id.
  if actor.user_id <> app.get_local_owner() then
    perform app.fail('forbidden', format('Whoever runs the server %s.', what), null,
      format('Call `%s` on the machine of the server.', command));
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.refuse_limited(actor app.actor)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.role_rank(role text)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case role when 'owner' then 4 when 'admin' then 3 when 'member' then 2 when 'viewer' then 1 else 0 end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.system_actor(tenant_id uuid)
 RETURNS app.actor
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.token_allows_project(project_id uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
RETURN ((project_id <> app.get_token_project()) IS NOT TRUE);
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.user_of(identity jsonb)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case when identity ->> 'issuer' = 'supabase'
    then app.as_uuid(identity ->> 'subject')
    else encode(substring(sha256(convert_to(
      jsonb_build_array(identity ->> 'issuer', identity ->> 'subject')::text, 'UTF8')) for 16), 'hex')::uuid end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.uuid_v7()
 RETURNS uuid
 LANGUAGE sql
AS $function$
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid()) placing
        substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
      52, 1), 53, 1), 'hex')::uuid
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.sign_in(identity jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

-- Privileges

grant delete, insert, select, update on app.presence to cairn_owner;
grant delete, insert, select, update on app.user_names to cairn_owner;
grant execute on function app.get_tenant_id() to cairn_keeper;
grant execute on function app.my_tenants() to authenticated;
grant execute on function public.sign_in(jsonb,jsonb) to cairn_server;
grant execute on function public.sign_in(jsonb,jsonb) to service_role;
grant select on public.memberships to authenticated;
grant select (created_at), select (role), select (tenant_id) on public.memberships to cairn_keeper;
grant delete, insert, select, update on public.memberships to cairn_owner;
grant select on public.tenants to authenticated;
grant delete, insert, select, update on public.tenants to cairn_owner;
grant select on public.users to authenticated;
grant delete, insert, select, update on public.users to cairn_owner;
