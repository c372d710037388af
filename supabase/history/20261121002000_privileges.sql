-- Who may touch what, last of all: the functions' owner, policies on every table, grants object by object.

-- Ours and nobody else's: what is in these schemas and was made by the migrations.
do $$
declare
  v_object record;
  v_own_tables constant text[] := array['users', 'tenants', 'memberships', 'events', 'projects', 'tasks', 'task_leases', 'artifacts', 'decisions',
    'checkpoints', 'agent_sessions', 'messages', 'oauth_tokens'];
begin
  execute format('grant create on schema public, app to cairn_owner, cairn_keeper');
  -- Callable functions and helpers: definer functions run as cairn_owner, which policies bind.
  for v_object in
    select p.oid::regprocedure as name, n.nspname as schema, p.prokind as kind, p.proname, p.prosecdef,
      p.prosrc ~ 'app\.(caller_is_server|enter_server|enter_workspace|enter_person)\(' as for_server
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'app' or n.nspname = 'public' and p.prosecdef and p.prosrc ~ 'app\.(enter|caller_is_server)'
  loop
    execute format('revoke all on function %s from public, anon, authenticated', v_object.name);
    if v_object.proname not in ('blank_event', 'remove_events', 'purge_expired') then
      execute format('alter %s %s owner to cairn_owner', case v_object.kind when 'a' then 'aggregate' else 'function' end, v_object.name);
    end if;
    if v_object.schema = 'public' then
      execute format('grant execute on function %s to cairn_server, service_role', v_object.name);
      if not v_object.for_server then
        execute format('grant execute on function %s to authenticated', v_object.name);
      end if;
    end if;
  end loop;
  alter function app.blank_event(public.events) owner to cairn_keeper;
  alter function app.remove_events(bigint) owner to cairn_keeper;
  alter function app.purge_expired() owner to cairn_keeper;
  grant execute on function app.blank_event(public.events), app.remove_events(bigint), app.purge_expired() to cairn_owner;
  grant execute on function app.blanked(public.events), app.now(), app.tenant() to cairn_keeper;
  revoke create on schema public, app from cairn_owner, cairn_keeper;

  for v_object in
    select c.oid::regclass as name, n.nspname as schema, c.relname, exists (
        select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) as has_tenant,
      -- What names the project of a row; what belongs to none is out of a limited token's reach. (A token itself belongs to none.)
      (select format(case when a.attnotnull then '%I' else 'coalesce(%I, app.nobody())' end, a.attname)
        from pg_catalog.pg_attribute a where a.attrelid = c.oid and not a.attisdropped
          and a.attname = case c.relname when 'projects' then 'id' when 'oauth_tokens' then null else 'project_id' end) as project
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and (n.nspname = 'app' or n.nspname = 'public' and c.relname = any (v_own_tables))
  loop
    execute format('revoke all on table %s from public, anon, authenticated, service_role', v_object.name);
    execute format('alter table %s enable row level security', v_object.name);
    execute format('alter table %s force row level security', v_object.name);
    if v_object.relname in ('event_types', 'event_fields', 'task_moves', 'read_models') then
      execute format('grant select on table %s to cairn_owner, cairn_keeper', v_object.name);
      execute format('create policy read on %s for select to cairn_owner, cairn_keeper using (true)', v_object.name);
    elsif v_object.relname in ('events', 'auth_events') then
      execute format('grant select, insert on table %s to cairn_owner', v_object.name);
    else
      execute format('grant select, insert, update, delete on table %s to cairn_owner', v_object.name);
    end if;
    if v_object.schema = 'public' and v_object.relname not in ('oauth_tokens') then
      execute format('grant select on table %s to authenticated', v_object.name);
    end if;
    if v_object.has_tenant and v_object.relname not in ('events', 'memberships', 'search_documents') then
      execute format('create policy door on %s for all to cairn_owner using (tenant_id = app.tenant()) with check (tenant_id = app.tenant())', v_object.name);
    end if;
    -- Whatever else lets a row through: a token that is limited to a project reaches that one alone. Of what hangs on another row (edges, texts to
    -- search), that row is what is told.
    if v_object.project is not null then
      execute format('create policy reach on %s as restrictive for all to cairn_owner using (app.reaches(%s)) with check (app.reaches(%2$s))', v_object.name, v_object.project);
    end if;
    -- The second wall for signed-in users: no privilege but select lets them reach the other three.
    if v_object.schema = 'public' and v_object.has_tenant and v_object.relname not in ('events', 'memberships', 'oauth_tokens') then
      execute format('create policy own_select on %s for select to authenticated using (tenant_id in (select app.my_tenants()))', v_object.name);
      execute format('create policy own_insert on %s for insert to authenticated with check (tenant_id in (select app.my_tenants()))', v_object.name);
      execute format('create policy own_update on %s for update to authenticated using (tenant_id in (select app.my_tenants())) with check (tenant_id in (select app.my_tenants()))', v_object.name);
      execute format('create policy own_delete on %s for delete to authenticated using (tenant_id in (select app.my_tenants()))', v_object.name);
    end if;
  end loop;
end
$$;

grant usage on schema app to cairn_owner, cairn_keeper, authenticated;
grant usage on schema public to cairn_owner, cairn_keeper, cairn_server;
-- authenticated reaches the schema app for this one function, which its policies call.
grant execute on function app.my_tenants() to authenticated;
grant usage on type app.actor, app.bearer to cairn_owner;

-- `@@` is not leakproof: a condition on the tenant would be checked first and keep the index from being used. The table holds no
-- text, and what a search shows of it is read from the tables themselves, whose policies do compare the tenant.
create policy door_read on app.search_documents for select to cairn_owner using (true);
create policy door_insert on app.search_documents for insert to cairn_owner with check (tenant_id = app.tenant());
create policy door_update on app.search_documents for update to cairn_owner using (tenant_id = app.tenant()) with check (tenant_id = app.tenant());
create policy door_delete on app.search_documents for delete to cairn_owner using (tenant_id = app.tenant());

create policy door_read on public.events for select to cairn_owner, cairn_keeper using (tenant_id = app.tenant());
create policy door_append on public.events for insert to cairn_owner with check (tenant_id = app.tenant());
create policy keeper_redact on public.events for update to cairn_keeper using (tenant_id = app.tenant()) with check (tenant_id = app.tenant());
create policy own_select on public.events for select to authenticated using (tenant_id in (select app.my_tenants()));
create policy own_insert on public.events for insert to authenticated with check (tenant_id in (select app.my_tenants()));
create policy keeper_archive on public.events for delete to cairn_keeper using (tenant_id = app.tenant());
grant select, delete, update (payload, redacted_at) on public.events to cairn_keeper;

-- A policy on memberships that asked app.my_tenants() would ask itself without end.
create policy door on public.memberships for all to cairn_owner
  using (tenant_id = app.tenant() or user_id in (app.caller(), app.signed_in()))
  with check (tenant_id = app.tenant());
create policy own_select on public.memberships for select to authenticated using (user_id = (select auth.uid()));
create policy door on public.users for all to cairn_owner using (true) with check (true);
create policy own_select on public.users for select to authenticated using (id = (select auth.uid()));
create policy door on public.tenants for all to cairn_owner using (id = app.tenant()) with check (id = app.tenant());
create policy own_select on public.tenants for select to authenticated using (id in (select app.my_tenants()));

grant select (tenant_id, id, user_id, kind, name, token_type, expires_at, scope, project_id, client_id, created_at, updated_at, last_used_at, revoked_at)
  on public.oauth_tokens to authenticated;
create policy own_select on public.oauth_tokens for select to authenticated using (user_id = (select auth.uid()));

revoke all on public.active_tasks, public.recent_events, public.task_progress from public, anon, authenticated, service_role;
grant select on public.active_tasks, public.recent_events, public.task_progress to authenticated;

-- A server that logs in with no more than cairn_server must be able to tell whether the schema is its own.
do $$
begin
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    grant usage on schema supabase_migrations to cairn_server;
    grant select on supabase_migrations.schema_migrations to cairn_server;
  end if;
end
$$;
