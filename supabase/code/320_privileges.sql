-- Privileges, last of all: the functions' owner, policies on every table, grants object by object.

-- Functions run as cairn_owner, which policies bind; signed-in users may call functions that verify the caller, and the
-- server's own role those that trust it.
create or replace function app.secure_functions()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_function record;
  v_by_keeper constant text[] := array['blank_event', 'remove_events', 'purge_expired'];
begin
  grant create on schema public, app to cairn_owner, cairn_keeper;
  for v_function in
    select
      p.oid::regprocedure as name,
      n.nspname as schema,
      case when p.proname = any (v_by_keeper) and n.nspname = 'app' then 'cairn_keeper' else 'cairn_owner' end as owner,
      p.prosrc ~ 'app\.(caller_is_server|authenticate_(server|workspace|person))\(' as for_server
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where (n.nspname = 'app'
        or n.nspname = 'public' and p.prosecdef and p.prosrc ~ 'app\.(authenticate|caller_is_server)')
      and p.proowner not in ('cairn_owner'::regrole, 'cairn_keeper'::regrole)
  loop
    execute format('revoke all on function %s from public, anon, authenticated', v_function.name);
    execute format('alter routine %s owner to %I', v_function.name, v_function.owner);
    if v_function.schema = 'public' then
      execute format('grant execute on function %s to cairn_server, service_role', v_function.name);
      if not v_function.for_server then
        execute format('grant execute on function %s to authenticated', v_function.name);
      end if;
    end if;
  end loop;
  grant execute on function app.blank_event(public.events), app.remove_events(bigint), app.purge_expired()
    to cairn_owner;
  grant execute on function app.blank_payload(public.events), app.now(), app.get_tenant_id() to cairn_keeper;
  -- authenticated reaches the schema app for this one function, which its policies call.
  grant execute on function app.my_tenants() to authenticated;
  revoke create on schema public, app from cairn_owner, cairn_keeper;
end
$$;

-- Secures a table: row level security, forced, and the grants and policies that follow from its columns. `project`
-- names the column of a row's project; a limited token cannot reach rows without one.
create or replace function app.secure_table(name regclass, schema text, has_tenant boolean, project text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := (select c.relname from pg_class c where c.oid = name);
  v_path text := format('%I.%I', schema, v_name);
  v_own constant text := 'tenant_id in (select app.my_tenants())';
  v_is_registry constant boolean := v_name in ('event_types', 'event_fields', 'task_moves', 'read_models');
begin
  if not (select c.relrowsecurity and c.relforcerowsecurity from pg_class c where c.oid = name) then
    execute format('revoke all on table %s from public, anon, authenticated, service_role', name);
    execute format('alter table %s enable row level security', name);
    execute format('alter table %s force row level security', name);
  end if;
  if v_is_registry then
    execute format('grant select on table %s to cairn_owner, cairn_keeper', name);
    perform app.define_on_tables(format(
      'create policy read on %s for select to cairn_owner, cairn_keeper using (true)', v_path));
  else
    execute format('grant select, insert on table %s to cairn_owner', name);
  end if;
  if not v_is_registry and v_name not in ('events', 'auth_events') then
    execute format('grant update, delete on table %s to cairn_owner', name);
  end if;
  if schema = 'public' and v_name <> 'oauth_tokens' then
    execute format('grant select on table %s to authenticated', name);
  end if;
  if has_tenant and v_name not in ('events', 'memberships', 'search_documents') then
    perform app.define_on_tables(format(
      'create policy door on %s for all to cairn_owner using (tenant_id = app.get_tenant_id()) '
      'with check (tenant_id = app.get_tenant_id())', v_path));
  end if;
  -- Whatever else lets a row through: a token that is limited to a project reaches that one alone. Of what hangs on
  -- another row (edges, texts to search), that row is what is told.
  if project is not null then
    perform app.define_on_tables(format(
      'create policy reach on %s as restrictive for all to cairn_owner using (app.token_allows_project(%s)) '
      'with check (app.token_allows_project(%2$s))', v_path, project));
  end if;
  -- The second wall for signed-in users: no privilege but select lets them reach the other three.
  if schema = 'public' and has_tenant and v_name not in ('events', 'memberships', 'oauth_tokens') then
    perform app.define_on_tables(format(
      'create policy own_select on %1$s for select to authenticated using (%2$s);
      create policy own_insert on %1$s for insert to authenticated with check (%2$s);
      create policy own_update on %1$s for update to authenticated using (%2$s) with check (%2$s);
      create policy own_delete on %1$s for delete to authenticated using (%2$s);', v_path, v_own));
  end if;
end
$$;

-- Secures all tables of `app`, and Cairn's own in `public`, which another application may share.
create or replace function app.secure_tables()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.secure_table(c.oid::regclass, n.nspname::text,
    exists (
      select from pg_attribute a
      where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped),
    -- A token itself belongs to no project.
    (select format(case when a.attnotnull then '%I' else 'coalesce(%I, app.get_nil_id())' end, a.attname)
      from pg_attribute a
      where a.attrelid = c.oid and not a.attisdropped
        and a.attname = case c.relname when 'projects' then 'id' when 'oauth_tokens' then null else 'project_id' end))
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and (n.nspname = 'app' or n.nspname = 'public' and c.relname in (
    'users', 'tenants', 'memberships', 'events', 'projects', 'tasks', 'task_leases', 'artifacts', 'decisions',
    'checkpoints', 'agent_sessions', 'messages', 'oauth_tokens'));
end
$$;

-- A new table has no statistics, and the planner assumes every value to be one of two hundred: an index that begins
-- with the workspace then seems as good as the whole key, and each lookup reads the workspace, until autovacuum runs.
-- Since PostgreSQL 18 it can be told the shape of most databases: few workspaces, projects, people and kinds. Others'
-- tables, which may share the schema, are left alone.
create or replace function app.estimate_new_tables()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_column record;
  v_command constant text :=
    'select pg_restore_attribute_stats(''schemaname'', $1, ''relname'', $2, ''attname'', $3, '
    '''inherited'', false, ''null_frac'', 0::real, ''avg_width'', 16, ''n_distinct'', $4)';
begin
  if current_setting('server_version_num')::integer < 180000 then
    return;
  end if;
  for v_column in
    select n.nspname, c.relname, a.attname, f.n_distinct
    from pg_attribute a
    join (
      values ('tenant_id', 1), ('project_id', 1), ('user_id', 1), ('status', 3), ('priority', 3), ('type', 5),
        ('event_type', 10)) as f (column_name, n_distinct) on f.column_name = a.attname
    join pg_class c on c.oid = a.attrelid and c.relkind = 'r'
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('app', 'public') and c.reltuples < 0
      -- Labels and questions are read in the order of an index: with an estimate the planner would rather sort them.
      and c.relname not in ('task_labels', 'unanswered')
      and exists (select from pg_policy p where p.polrelid = c.oid and 'cairn_owner'::regrole = any (p.polroles))
  loop
    execute v_command
      using v_column.nspname::text, v_column.relname::text, v_column.attname::text, v_column.n_distinct::real;
  end loop;
end
$$;

select app.secure_functions();
select app.secure_tables();
select app.estimate_new_tables();

grant usage on schema app to cairn_owner, cairn_keeper, authenticated;
grant usage on schema public to cairn_owner, cairn_keeper, cairn_server;
grant usage on type app.actor, app.bearer to cairn_owner;

select app.define_on_tables($policies$
  -- `@@` is not leakproof: a condition on the tenant would be checked first and keep the index from being used. The
  -- table holds no text, and what a search shows of it is read from the tables themselves, whose policies do compare
  -- the tenant.
  create policy door_read on app.search_documents for select to cairn_owner using (true);
  create policy door_insert on app.search_documents for insert to cairn_owner
    with check (tenant_id = app.get_tenant_id());
  create policy door_update on app.search_documents for update to cairn_owner
    using (tenant_id = app.get_tenant_id()) with check (tenant_id = app.get_tenant_id());
  create policy door_delete on app.search_documents for delete to cairn_owner using (tenant_id = app.get_tenant_id());

  create policy door_read on public.events for select to cairn_owner, cairn_keeper
    using (tenant_id = app.get_tenant_id());
  create policy door_append on public.events for insert to cairn_owner with check (tenant_id = app.get_tenant_id());
  create policy keeper_redact on public.events for update to cairn_keeper
    using (tenant_id = app.get_tenant_id()) with check (tenant_id = app.get_tenant_id());
  create policy keeper_archive on public.events for delete to cairn_keeper using (tenant_id = app.get_tenant_id());
  create policy own_select on public.events for select to authenticated using (tenant_id in (select app.my_tenants()));
  create policy own_insert on public.events for insert to authenticated
    with check (tenant_id in (select app.my_tenants()));

  -- A policy on memberships that asked app.my_tenants() would ask itself without end.
  create policy door on public.memberships for all to cairn_owner
    using (tenant_id = app.get_tenant_id() or user_id in (app.get_caller_id(), app.get_signed_in_id()))
    with check (tenant_id = app.get_tenant_id());
  create policy own_select on public.memberships for select to authenticated using (user_id = (select auth.uid()));

  -- A user is seen by those in a workspace that the user belongs to, and by itself. An import may still add one, and
  -- learns nothing by it.
  create policy door_read on public.users for select to cairn_owner
    using (id = app.get_caller_id() or exists (
      select from public.memberships m where m.tenant_id = app.get_tenant_id() and m.user_id = users.id));
  create policy door_insert on public.users for insert to cairn_owner with check (true);
  create policy door_update on public.users for update to cairn_owner
    using (id = app.get_caller_id()) with check (id = app.get_caller_id());
  create policy own_select on public.users for select to authenticated using (id = (select auth.uid()));

  create policy door on public.tenants for all to cairn_owner
    using (id = app.get_tenant_id()) with check (id = app.get_tenant_id());
  create policy own_select on public.tenants for select to authenticated using (id in (select app.my_tenants()));
  -- The names of one's own workspaces, to choose from.
  create policy member on public.tenants for select to cairn_owner
    using (id in (select m.tenant_id from public.memberships m where m.user_id = (select app.get_caller_id())));

  create policy own_select on public.oauth_tokens for select to authenticated using (user_id = (select auth.uid()));

  -- Rows of remote access that are seen before their workspace is known.
  create policy presented on app.auth_sessions for select to cairn_owner
    using (session_hash = (select app.get_credential_hash()));
  create policy presented on app.login_codes for select to cairn_owner
    using (code_hash = (select app.get_credential_hash()));
  create policy presented on app.invitations for select to cairn_owner
    using (invitation_hash = (select app.get_credential_hash()));
  -- A client is known to every workspace; what it was granted is not.
  create policy everybody on app.oauth_clients for select to cairn_owner using (true);
  create policy everybody on app.user_identities for select to cairn_owner
    using (user_id = (select app.get_caller_id()));

  -- Allows cairn_keeper to purge expired rows.
  create policy expired on public.oauth_tokens for delete to cairn_keeper
    using (coalesce(refresh_expires_at, expires_at) < now() - interval '30 days');
  create policy expired on app.oauth_codes for delete to cairn_keeper using (expires_at < now() - interval '1 day');
  create policy expired on app.authorization_requests for delete to cairn_keeper using (expires_at < now());
  create policy expired on app.auth_sessions for delete to cairn_keeper using (expires_at < now());
  create policy expired on app.login_codes for delete to cairn_keeper using (expires_at < now());
  create policy expired on app.login_states for delete to cairn_keeper using (expires_at < now());
  create policy expired on app.auth_attempts for delete to cairn_keeper using (ends_at < now());
  create policy expired on app.invitations for delete to cairn_keeper using (expires_at < now() - interval '90 days');
  -- A client that registered itself and was never authorized, and one that no grant can be alive of.
  create policy expired on app.oauth_clients for delete to cairn_keeper
    using (kind <> 'static' and (
      authorized_at is null and created_at < now() - interval '1 day'
      or coalesce(last_used_at, created_at) < now() - interval '180 days'));
$policies$);

grant select, delete, update (payload, redacted_at) on public.events to cairn_keeper;
grant delete on
  public.oauth_tokens, app.oauth_codes, app.authorization_requests, app.auth_sessions, app.login_codes,
  app.login_states, app.auth_attempts, app.invitations, app.oauth_clients
  to cairn_keeper;
grant select (
  tenant_id, id, user_id, kind, name, token_type, expires_at, scope, project_id, client_id, created_at, updated_at,
  last_used_at, revoked_at)
  on public.oauth_tokens to authenticated;

revoke all on public.active_tasks, public.recent_events, public.task_progress
  from public, anon, authenticated, service_role;
grant select on public.active_tasks, public.recent_events, public.task_progress to authenticated;

-- A server that logs in with only cairn_server must be able to tell whether the schema is its own.
grant usage on schema supabase_migrations to cairn_server;
grant select on all tables in schema supabase_migrations to cairn_server;
