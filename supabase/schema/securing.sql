-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.project_of_rows(name regclass)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select format(case when a.attnotnull then '%I' else 'coalesce(%I, app.get_nil_id())' end, a.attname)
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid
  where c.oid = name
    and not a.attisdropped
    and a.attname = case c.relname when 'projects' then 'id' when 'oauth_tokens' then null else 'project_id' end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.secure_functions()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_function record;
  v_by_keeper constant text[] := array['blank_event', 'due_records', 'forget_screens', 'measure_records',
    'purge_expired', 'record_files_to_remove', 'remove_events', 'told_workspaces', 'unarchived_records',
    'workspaces_in'];
begin
  grant create on schema public, app to cairn_owner, cairn_keeper;
  for v_function in
    select
      p.oid::regprocedure as name,
      n.nspname as schema,
      case when p.proname = any (v_by_keeper) and n.nspname = 'app' then 'cairn_keeper' else 'cairn_owner' end as owner,
      p.prosrc ~ 'app\.(caller_is_server|authenticate_(server|workspace|system|person))\(' as for_server
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where (n.nspname = 'app'
        or n.nspname = 'public' and p.prosecdef and p.prosrc ~ 'app\.(authenticate|caller_is_server)')
      and p.proowner not in ('cairn_owner'::regrole, 'cairn_keeper'::regrole)
      -- They are for the owner of the tables, the role that migrates.
      and not (n.nspname = 'app' and p.proname in ('make_partitions', 'drop_partition', 'analyze_records'))
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
  revoke create on schema public, app from cairn_owner, cairn_keeper;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.secure_table(name regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_name text := (select c.relname from pg_class c where c.oid = name);
  v_schema text := (select c.relnamespace::regnamespace::text from pg_class c where c.oid = name);
  v_path text := format('%I.%I', v_schema, v_name);
  v_has_tenant boolean := exists (
    select from pg_attribute a
    where a.attrelid = name and a.attname = 'tenant_id' and not a.attisdropped);
  v_own constant text := 'tenant_id in (select app.my_tenants())';
  v_is_registry constant boolean := v_name in ('event_types', 'event_fields', 'task_moves', 'read_models',
    'record_tables');
  v_is_appended constant boolean := v_name in ('events', 'auth_events')
    or exists (select from app.record_tables r where r.table_name = v_name and r.appended);
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
  if not v_is_registry and not v_is_appended then
    execute format('grant update, delete on table %s to cairn_owner', name);
  end if;
  if v_schema = 'public' and v_name not in ('oauth_tokens', 'system_config', 'system_config_history') then
    execute format('grant select on table %s to authenticated', name);
  end if;
  if v_has_tenant and v_name not in ('events', 'memberships', 'search_documents') then
    perform app.define_on_tables(format(
      'create policy door on %s for all to cairn_owner using (tenant_id = app.get_tenant_id()) '
      'with check (tenant_id = app.get_tenant_id())', v_path));
  end if;
  -- Whatever else lets a row through: a token that is limited to a project reaches that one alone. Of what hangs on
  -- another row (edges, texts to search), that row is what is told.
  if app.project_of_rows(name) is not null then
    perform app.define_on_tables(format(
      'create policy reach on %s as restrictive for all to cairn_owner using (app.token_allows_project(%s)) '
      'with check (app.token_allows_project(%2$s))', v_path, app.project_of_rows(name)));
  end if;
  -- The second wall for signed-in users: no privilege but select lets them reach the other three.
  if v_schema = 'public' and v_has_tenant and v_name not in ('events', 'memberships', 'oauth_tokens') then
    perform app.define_on_tables(format(
      'create policy own_select on %1$s for select to authenticated using (%2$s);
      create policy own_insert on %1$s for insert to authenticated with check (%2$s);
      create policy own_update on %1$s for update to authenticated using (%2$s) with check (%2$s);
      create policy own_delete on %1$s for delete to authenticated using (%2$s);', v_path, v_own));
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.secure_tables()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_table regclass;
begin
  -- Listed before: a table that a query reads cannot be altered.
  foreach v_table in array array(
    select c.oid::regclass
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and (n.nspname = 'app' or n.nspname = 'public' and (
      c.relname in ('users', 'tenants', 'memberships', 'events', 'leases', 'oauth_tokens', 'system_config',
        'system_config_history', 'model_prices', 'run_usage')
      or exists (select from app.read_models m where m.table_name = c.relname)
      or exists (select from app.record_tables r where r.table_name = c.relname))))
  loop
    perform app.secure_table(v_table);
  end loop;
end
$function$;
-- owner cairn_owner
