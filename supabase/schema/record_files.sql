-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table app.replaced_record_files (
  tenant_id uuid not null,
  location text not null,
  file text not null,
  constraint replaced_record_files_pkey PRIMARY KEY (tenant_id, location, file),
  constraint replaced_record_files_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id)
);
alter table app.replaced_record_files enable row level security;
alter table app.replaced_record_files force row level security;
create policy door on app.replaced_record_files as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy keeper_read on app.replaced_record_files as permissive for select to cairn_keeper using (true);

-- Functions

CREATE OR REPLACE FUNCTION app.due_records()
 RETURNS TABLE(tenant_id uuid, table_name text, starts_at timestamp with time zone, ends_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select u.tenant_id, r.table_name, p.starts_at, p.ends_at
  from app.record_tables r
  cross join lateral app.list_partitions(r) p
  cross join lateral app.unarchived_records(r.table_name, p.child) u
  where p.ends_at + make_interval(days => r.archive_days) <= app.now()
  order by p.starts_at, r.table_name, u.tenant_id
$function$;
-- owner cairn_keeper

CREATE OR REPLACE FUNCTION app.find_records(table_name text)
 RETURNS app.record_tables
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_records app.record_tables;
begin
  -- The audit trail of one installation is none of another's.
  select * into v_records from app.record_tables r
    where r.table_name = find_records.table_name and r.table_name <> 'audit_entries';
  if v_records.table_name is null then
    perform app.fail('not_found', format('There are no records %s.', left(coalesce(table_name, ''), 80)),
      jsonb_build_object('field', 'table_name'),
      'list_record_parts names the tables of records.');
  end if;
  return v_records;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_in_files(records app.record_tables, starts_at timestamp with time zone, tenant_id uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_archived constant bigint := (
    select sum(a.records) from app.record_archives a
    where a.tenant_id = $3 and a.table_name = records.table_name and a.starts_at = $2);
  v_there bigint := 0;
begin
  if v_archived is null or to_regclass(app.name_partition(records, starts_at)) is null then
    return v_archived is not null;
  end if;
  execute format('select count(*) from public.%1$I x where x.tenant_id = $1 and x.%2$I >= $2 and x.%2$I < $3',
      records.table_name, app.time_of_records(format('public.%I', records.table_name)::regclass))
    into v_there
    using tenant_id, starts_at, app.period_start(starts_at, records.period, 1);
  return v_there < v_archived;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.measure_part(records app.record_tables, starts_at timestamp with time zone, tenant_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select jsonb_build_object('records', coalesce(max(m.records), 0), 'checksum', coalesce(max(m.checksum), 0)::text)
  from app.measure_records(to_regclass(app.name_partition(records, starts_at))) m
  where m.tenant_id = $3
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.record_files_to_remove()
 RETURNS TABLE(tenant_id uuid, location text, file text)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select a.tenant_id, a.location, a.file
  from app.record_archives a join app.record_tables r on r.table_name = a.table_name
  where a.ends_at + make_interval(days => r.keep_days) <= app.now()
  union
  select f.tenant_id, f.location, f.file from app.replaced_record_files f
  where not exists (
    select from app.record_archives a
    where (a.tenant_id, a.location, a.file) = (f.tenant_id, f.location, f.file))
$function$;
-- owner cairn_keeper

CREATE OR REPLACE FUNCTION public.analyze_records(actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET statement_timeout TO '1min'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  perform app.analyze_records();
  return '{}';
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.archive_records(manifest jsonb DEFAULT '{}'::jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET statement_timeout TO '1min'
AS $function$
declare
  v_actor app.actor := app.authenticate_system(actor);
  v_records app.record_tables := app.find_records(manifest ->> 'table');
  v_from timestamptz := app.period_start((manifest ->> 'starts_at')::timestamptz, v_records.period);
  v_measured jsonb := app.measure_part(v_records, v_from, v_actor.tenant_id);
  v_written bigint := (
    select coalesce(sum((p ->> 'records')::bigint), 0) from jsonb_array_elements(manifest -> 'parts') p);
begin
  -- Of a part that another worker has moved meanwhile nothing is there: its files stay.
  if v_written = 0 or v_written <> (v_measured ->> 'records')::bigint
      or manifest ->> 'checksum' <> v_measured ->> 'checksum' then
    perform app.fail('invalid_input',
      format('The files hold other records of %s than the table.', v_records.table_name), null,
      'Records were added or changed meanwhile: archive again.');
  end if;
  insert into app.replaced_record_files (tenant_id, location, file)
    select a.tenant_id, a.location, a.file from app.record_archives a
    where a.tenant_id = v_actor.tenant_id and a.table_name = v_records.table_name and a.starts_at = v_from
    on conflict do nothing;
  delete from app.record_archives a
    where a.tenant_id = v_actor.tenant_id and a.table_name = v_records.table_name and a.starts_at = v_from;
  insert into app.record_archives (tenant_id, table_name, starts_at, ends_at, part, records, location, file, sha256,
      checksum, created_at)
    select v_actor.tenant_id, v_records.table_name, v_from, app.period_start(v_from, v_records.period, 1), p.at - 1,
      (p.item ->> 'records')::bigint, manifest ->> 'location', p.item ->> 'file', p.item ->> 'sha256',
      (manifest ->> 'checksum')::numeric, app.now()
    from jsonb_array_elements(manifest -> 'parts') with ordinality p (item, at);
  perform app.enter_retention(v_actor.tenant_id, jsonb_build_object('table', v_records.table_name, 'starts_at', v_from,
    'ends_at', app.period_start(v_from, v_records.period, 1), 'records', v_written, 'done', 'archived'));
  return jsonb_build_object('records', v_written);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.drop_partition(actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET statement_timeout TO '1min'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
  v_dropped jsonb;
begin
  perform app.forget_screens();
  v_dropped := app.drop_partition();
  perform app.enter_retention(w::uuid, v_dropped - '{name,workspaces}'::text[] || '{"done": "dropped"}')
    from jsonb_array_elements_text(v_dropped -> 'workspaces') w;
  return jsonb_strip_nulls(jsonb_build_object('dropped', v_dropped -> 'name'));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.due_records(actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET statement_timeout TO '1min'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return jsonb_build_object('due', (
    select coalesce(jsonb_agg(jsonb_build_object(
      'tenant_id', d.tenant_id, 'table', d.table_name, 'starts_at', d.starts_at, 'ends_at', d.ends_at)), '[]')
    from app.due_records() d));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.forget_record_file(location text, file text, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_system(actor);
  v_forgotten bigint;
begin
  with forgotten as (
    delete from app.record_archives a
    where (a.tenant_id, a.location, a.file) = (v_actor.tenant_id, $1, $2) returning a.*
  )
  select count(app.enter_retention(f.tenant_id, jsonb_build_object('table', f.table_name, 'starts_at', f.starts_at,
      'ends_at', f.ends_at, 'records', f.records, 'done', 'deleted')))
    into v_forgotten from forgotten f;
  delete from app.replaced_record_files f
    where (f.tenant_id, f.location, f.file) = (v_actor.tenant_id, $1, $2);
  return jsonb_build_object('forgotten', true);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.import_records(table_name text, records jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET statement_timeout TO '1min'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor, 'admin');
  v_records app.record_tables;
  v_table regclass;
  v_time text;
  v_from timestamptz;
  v_rows jsonb;
  v_count bigint;
begin
  perform app.refuse_limited(v_actor);
  v_records := app.find_records(table_name);
  v_table := format('public.%I', v_records.table_name)::regclass;
  v_time := app.time_of_records(v_table);
  v_from := app.now() - make_interval(days => least(v_records.keep_days, 730));
  if coalesce(jsonb_typeof(records), 'null') <> 'array' or jsonb_array_length(records) not between 1 and 1000 then
    perform app.fail('invalid_input', 'records must be a list of 1 to 1,000 records.',
      jsonb_build_object('field', 'records'));
  end if;
  v_rows := (
    select jsonb_agg(r || jsonb_build_object('tenant_id', v_actor.tenant_id))
    from jsonb_array_elements_text(records) line cross join lateral (select line::jsonb) x (r)
    where (r ->> v_time)::timestamptz between v_from and app.now() + interval '1 day'
      and not exists (
        select from app.record_archives a
        where a.tenant_id = v_actor.tenant_id and a.table_name = v_records.table_name
          and a.starts_at = app.period_start((r ->> v_time)::timestamptz, v_records.period)));
  perform app.make_partitions(t.starts_at)
    from (
      select distinct app.period_start((r ->> v_time)::timestamptz, v_records.period) as starts_at
      from jsonb_array_elements(v_rows) r) t
    where to_regclass(app.name_partition(v_records, t.starts_at)) is null;
  execute format('insert into %1$s (%2$s) select %2$s from jsonb_populate_recordset(null::%1$s, $1) '
      'on conflict do nothing', v_table, app.given_columns(v_table))
    using coalesce(v_rows, '[]');
  get diagnostics v_count = row_count;
  return jsonb_build_object('imported', v_count, 'skipped', jsonb_array_length(records) - v_count);
exception
  when data_exception or integrity_constraint_violation then
    perform app.fail('invalid_input',
      format('A record of %s does not fit its table: %s.', table_name, left(sqlerrm, 300)), null,
      'The file was changed, or is of another version. Export it again.');
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_record_parts(actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_reader(actor);
begin
  return jsonb_build_object('parts', (
    select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'table', p.table_name, 'starts_at', p.starts_at, 'ends_at', p.ends_at, 'files', f.files))
      order by p.starts_at, p.table_name), '[]')
    from (
      select r.table_name, c.starts_at, c.ends_at, r as records
      from app.record_tables r cross join lateral app.list_partitions(r) c
      where r.table_name <> 'audit_entries'
      union
      select a.table_name, a.starts_at, a.ends_at, r
      from app.record_archives a join app.record_tables r on r.table_name = a.table_name
      where a.tenant_id = v_actor.tenant_id) p
    left join lateral (
      select jsonb_agg(jsonb_build_object(
        'records', a.records, 'location', a.location, 'file', a.file, 'sha256', a.sha256) order by a.part) as files
      from app.record_archives a
      where a.tenant_id = v_actor.tenant_id and a.table_name = p.table_name and a.starts_at = p.starts_at) f
      on app.is_in_files(p.records, p.starts_at, v_actor.tenant_id)));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.make_partitions(actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return jsonb_build_object('made', app.make_partitions());
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.measure_records(table_name text, starts_at timestamp with time zone, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET statement_timeout TO '1min'
AS $function$
declare
  v_actor app.actor := app.authenticate_system(actor);
begin
  return app.measure_part(app.find_records(table_name), starts_at, v_actor.tenant_id);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.read_records(table_name text, starts_at timestamp with time zone, after text DEFAULT NULL::text, page_size integer DEFAULT 1000, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET statement_timeout TO '1min'
AS $function$
declare
  v_actor app.actor := app.authenticate_reader(actor);
  v_records app.record_tables := app.find_records(table_name);
  v_table regclass := format('public.%I', v_records.table_name)::regclass;
  v_size integer := app.page_size(page_size, 5000);
  v_line text;
  v_lines text[] := '{}';
  v_bytes bigint := 0;
begin
  for v_line in
    execute format('select (to_jsonb(x) - ''tenant_id'')::text from %1$s x '
        'where x.tenant_id = $1 and x.%2$I >= $2 and x.%2$I < $3%4$s order by %3$s limit $5',
      v_table, app.time_of_records(v_table), app.write_key(v_table, 'x.%1$I'),
      case when after is not null then format(' and (%s) > (%s)', app.write_key(v_table, 'x.%1$I'),
        app.write_key(v_table, '($4 ->> %1$L)::%2$s')) end)
      using v_actor.tenant_id, starts_at, app.period_start(starts_at, v_records.period, 1), after::jsonb, v_size
  loop
    v_lines := v_lines || v_line;
    v_bytes := v_bytes + octet_length(v_line);
    exit when v_bytes >= 8388608;
  end loop;
  -- Asked afterwards: what was read is locked against being dropped.
  if to_regclass(app.name_partition(v_records, starts_at)) is null then
    return '{"records": [], "moved": true}';
  end if;
  return jsonb_strip_nulls(jsonb_build_object('records', v_lines,
    'more', case when cardinality(v_lines) = v_size or v_bytes >= 8388608 then true end));
exception
  when data_exception then
    perform app.fail('invalid_input', 'after must be the last record of the page before.',
      jsonb_build_object('field', 'after'));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.record_files_to_remove(actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return jsonb_build_object('files', (
    select coalesce(jsonb_agg(to_jsonb(f)), '[]') from app.record_files_to_remove() f));
end
$function$;
-- owner cairn_owner

-- Privileges

grant select on app.replaced_record_files to cairn_keeper;
grant delete, insert, select, update on app.replaced_record_files to cairn_owner;
grant execute on function app.due_records() to cairn_owner;
grant execute on function app.record_files_to_remove() to cairn_owner;
grant execute on function public.analyze_records(jsonb) to cairn_server;
grant execute on function public.analyze_records(jsonb) to service_role;
grant execute on function public.archive_records(jsonb,jsonb) to cairn_server;
grant execute on function public.archive_records(jsonb,jsonb) to service_role;
grant execute on function public.drop_partition(jsonb) to cairn_server;
grant execute on function public.drop_partition(jsonb) to service_role;
grant execute on function public.due_records(jsonb) to cairn_server;
grant execute on function public.due_records(jsonb) to service_role;
grant execute on function public.forget_record_file(text,text,jsonb) to cairn_server;
grant execute on function public.forget_record_file(text,text,jsonb) to service_role;
grant execute on function public.import_records(text,jsonb,jsonb) to authenticated;
grant execute on function public.import_records(text,jsonb,jsonb) to cairn_server;
grant execute on function public.import_records(text,jsonb,jsonb) to service_role;
grant execute on function public.list_record_parts(jsonb) to authenticated;
grant execute on function public.list_record_parts(jsonb) to cairn_server;
grant execute on function public.list_record_parts(jsonb) to service_role;
grant execute on function public.make_partitions(jsonb) to cairn_server;
grant execute on function public.make_partitions(jsonb) to service_role;
grant execute on function public.measure_records(text,timestamp with time zone,jsonb) to cairn_server;
grant execute on function public.measure_records(text,timestamp with time zone,jsonb) to service_role;
grant execute on function public.read_records(text,timestamp with time zone,text,integer,jsonb) to authenticated;
grant execute on function public.read_records(text,timestamp with time zone,text,integer,jsonb) to cairn_server;
grant execute on function public.read_records(text,timestamp with time zone,text,integer,jsonb) to service_role;
grant execute on function public.record_files_to_remove(jsonb) to cairn_server;
grant execute on function public.record_files_to_remove(jsonb) to service_role;
