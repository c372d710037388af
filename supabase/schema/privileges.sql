-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.estimate_new_tables()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

-- Privileges

grant usage on schema app to authenticated;
grant usage on schema app to cairn_keeper;
grant usage on schema app to cairn_owner;
