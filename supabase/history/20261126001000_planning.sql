-- A database that is new has no statistics, and the planner takes every value for one of two hundred: an index that
-- begins with the workspace then seems as good as the whole key, and each lookup reads the workspace, until autovacuum
-- has looked. PostgreSQL can be told since 18 what most databases are: of few workspaces, projects, people and kinds.
-- Tables of others, which may share the schema, are left alone.
do $$
declare
  v_column record;
begin
  if current_setting('server_version_num')::integer < 180000 then
    return;
  end if;
  for v_column in
    select n.nspname, c.relname, a.attname, f.n_distinct from pg_attribute a
      join (values ('tenant_id', 1), ('project_id', 1), ('user_id', 1), ('status', 3), ('priority', 3), ('type', 5),
        ('event_type', 10)) as f (column_name, n_distinct) on f.column_name = a.attname
      join pg_class c on c.oid = a.attrelid and c.relkind = 'r'
      join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('app', 'public') and c.reltuples < 0
      and exists (select from pg_policy p where p.polrelid = c.oid and 'cairn_owner'::regrole = any (p.polroles))
  loop
    execute 'select pg_restore_attribute_stats(''schemaname'', $1, ''relname'', $2, ''attname'', $3,
      ''inherited'', false, ''null_frac'', 0::real, ''avg_width'', 16, ''n_distinct'', $4)'
      using v_column.nspname::text, v_column.relname::text, v_column.attname::text, v_column.n_distinct::real;
  end loop;
end
$$;
