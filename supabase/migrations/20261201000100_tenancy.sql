-- Who may act: roles, users, workspaces, memberships; and what was applied to this database.

create schema if not exists app;

comment on schema app is 'Guards, projections and machinery; exposed to nobody.';

-- Roles that Supabase brings, created only where they are missing, and Cairn's own. Another database of the same
-- cluster may create them at this moment: hence the handler.
do $$
declare
  v_role text;
begin
  foreach v_role in array array['anon', 'authenticated', 'service_role', 'cairn_owner', 'cairn_keeper', 'cairn_server']
  loop
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

-- Supabase brings this schema, too.
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

-- A role that may make nothing temporary can plant nothing that a function of Cairn's would find. The owner of the
-- database and superusers alone may revoke that right.
do $$
begin
  if pg_has_role((select d.datdba from pg_catalog.pg_database d where d.datname = current_database()), 'usage') then
    execute format('revoke temporary on database %I from public', current_database());
    raise notice 'No role but the owner makes temporary objects in this database any more. A role that needs to: %',
      format('grant temporary on database %I to ROLE', current_database());
  end if;
end
$$;

-- A uuid v7 (RFC 9562, section 5.7): PostgreSQL has its own only from 18 on. The default of a column calls it.
create function app.uuid_v7() returns uuid language sql volatile as $$
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid()) placing
        substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
      52, 1), 53, 1), 'hex')::uuid
$$;

-- What was applied: a versioned file under its number, all repeatable code as `code`, and what was made anew of rows
-- when the code that makes it changed; and the program that did it. It lies beside the list of the Supabase CLI, which
-- knows numbers alone.
create schema if not exists supabase_migrations;
create table supabase_migrations.cairn_applied (
  name text primary key check (name ~ '^([0-9]{14}|[a-z]+)$'),
  hash text not null check (hash ~ '^[0-9a-f]{64}$'),
  program text not null,
  applied_at timestamptz not null default now()
);

-- The oldest program that this schema admits. A versioned file that takes something away raises it.
create table supabase_migrations.cairn_admission (
  oldest_program text not null check (oldest_program ~ '^[0-9]+[.][0-9]+[.][0-9]+$')
);
insert into supabase_migrations.cairn_admission (oldest_program) values ('0.1.0');

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
create type app.actor as (
  user_id uuid,
  tenant_id uuid,
  agent text,
  client text,
  role text,
  project_id uuid
);

-- Here a workspace keeps the names of people who are no members of it: those whom an import named, and members of the
-- past.
create table app.user_names (
  tenant_id uuid not null references public.tenants,
  user_id uuid not null,
  name text not null check (char_length(name) between 1 and 200),
  primary key (tenant_id, user_id)
);

-- Which processes are there, when each last said so, and that one has ended: its locks are free two minutes later.
-- A process that is silent may be a laptop asleep, so silence ends nothing; a lost connection, where it is known, does.
create table app.presence (
  tenant_id uuid not null references public.tenants,
  process uuid not null,
  user_id uuid not null,
  agent text check (char_length(agent) <= 120),
  client text check (char_length(client) <= 120),
  -- A connection of the process holds `app.presence_lock` while it lives.
  watched boolean not null,
  started_at timestamptz not null,
  beat_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, user_id, process)
) with (fillfactor = 50);
