-- Privileges, last of all: the policies of single tables, grants object by object.

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

revoke all on function app.make_partitions(timestamptz), app.drop_partition(), app.analyze_records()
  from public, anon, authenticated;
grant execute on function
  app.blank_event(public.events), app.remove_events(bigint), app.purge_expired(), app.due_records(),
  app.forget_screens(), app.record_files_to_remove(), app.measure_records(regclass),
  app.unarchived_records(text, regclass), app.workspaces_in(regclass),
  app.make_partitions(timestamptz), app.drop_partition(), app.analyze_records(), app.told_workspaces(uuid)
  to cairn_owner;
grant execute on function
  app.blank_payload(public.events), app.now(), app.get_key_lifetime(), app.get_tenant_id(),
  app.list_partitions(app.record_tables), app.partition_start(regclass), app.period_start(timestamptz, text, integer)
  to cairn_keeper;
-- authenticated reaches the schema app for these two functions, which its policies and a view of its call.
grant execute on function app.my_tenants(), app.audit_kind(text, jsonb) to authenticated;
-- And of one table there for what that view shows of it, to whom its policy lets see it.
grant select (tenant_id, id, at, type, user_id, ip, data) on app.auth_events to authenticated;
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
  -- Allows cairn_keeper to forget what was printed too long ago.
  create policy keeper_read on app.search_documents for select to cairn_keeper using (kind = 'output');
  create policy keeper_forget on app.search_documents for delete to cairn_keeper using (kind = 'output');
  create policy keeper_read on app.run_screens for select to cairn_keeper using (true);
  create policy keeper_forget on app.run_screens for delete to cairn_keeper using (true);

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
  -- Allows cairn_keeper to find who is told of the installation.
  create policy owners on public.memberships for select to cairn_keeper using (role = 'owner');
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
  -- As purge_idempotency_keys does in one workspace.
  create policy expired on app.idempotency_keys for delete to cairn_keeper
    using (created_at < now() - app.get_key_lifetime());
  create policy expired on app.rates for delete to cairn_keeper using (ends_at < now());
  create policy expired on app.invitations for delete to cairn_keeper using (expires_at < now() - interval '90 days');
  -- A client that registered itself and was never authorized, and one that no grant can be alive of.
  create policy expired on app.oauth_clients for delete to cairn_keeper
    using (kind <> 'static' and (
      authorized_at is null and created_at < now() - interval '1 day'
      or coalesce(last_used_at, created_at) < now() - interval '180 days'));
$policies$);

grant select, delete, update (payload, redacted_at) on public.events to cairn_keeper;
grant select on app.record_archives, app.replaced_record_files to cairn_keeper;
grant select, delete on app.run_screens to cairn_keeper;
grant select (tenant_id, kind, id), delete on app.search_documents to cairn_keeper;
grant select (tenant_id, role, created_at) on public.memberships to cairn_keeper;
grant delete on
  public.oauth_tokens, app.oauth_codes, app.authorization_requests, app.auth_sessions, app.login_codes,
  app.login_states, app.rates, app.invitations, app.oauth_clients, app.idempotency_keys
  to cairn_keeper;
grant select (
  tenant_id, id, user_id, kind, name, token_type, expires_at, scope, project_id, agent, client_id, created_at,
  updated_at, last_used_at, revoked_at)
  on public.oauth_tokens to authenticated;

revoke all on public.active_tasks, public.agent_artifacts, public.audit_logs, public.command_queue,
    public.recent_events, public.task_progress, public.trace_entries
  from public, anon, authenticated, service_role;
grant select on public.active_tasks, public.agent_artifacts, public.audit_logs, public.command_queue,
  public.recent_events, public.task_progress, public.trace_entries to authenticated;
-- list_audit shows what this one does.
grant select on public.audit_logs to cairn_owner;

-- A server that logs in with only cairn_server must be able to tell whether the schema is its own.
grant usage on schema supabase_migrations to cairn_server;
grant select on all tables in schema supabase_migrations to cairn_server;
