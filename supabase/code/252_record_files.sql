-- Records in files and in exports: what is due, read page by page, kept as archived, taken from an import.

-- The parts of tables whose records are old enough for a file and in none yet, in every workspace. Runs as
-- cairn_keeper.
create or replace function app.due_records()
  returns table (tenant_id uuid, table_name text, starts_at timestamptz, ends_at timestamptz)
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select u.tenant_id, r.table_name, p.starts_at, p.ends_at
  from app.record_tables r
  cross join lateral app.list_partitions(r) p
  cross join lateral app.unarchived_records(r.table_name, p.child) u
  where p.ends_at + make_interval(days => r.archive_days) <= app.now()
  order by p.starts_at, r.table_name, u.tenant_id
$$;

-- due_records() -> {due: [{tenant_id, table, starts_at, ends_at}]}, oldest first. For the server's role.
create or replace function public.due_records(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return jsonb_build_object('due', (
    select coalesce(jsonb_agg(jsonb_build_object(
      'tenant_id', d.tenant_id, 'table', d.table_name, 'starts_at', d.starts_at, 'ends_at', d.ends_at)), '[]')
    from app.due_records() d));
end
$$;

-- maintain_partitions() -> {made: [names], dropped: [names]}: partitions are made two months ahead, and dropped when
-- their records are all in files or too old to keep; their tables are analyzed. For the server's role.
create or replace function public.maintain_partitions(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
  v_maintained jsonb := app.maintain_partitions();
begin
  perform app.analyze_records();
  return v_maintained;
end
$$;

-- Finds a table of records. Raises not_found.
create or replace function app.find_records(table_name text)
  returns app.record_tables
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_records app.record_tables;
begin
  select * into v_records from app.record_tables r where r.table_name = find_records.table_name;
  if v_records.table_name is null then
    perform app.fail('not_found', format('There are no records %s.', left(coalesce(table_name, ''), 80)),
      jsonb_build_object('field', 'table_name'),
      'list_record_parts names the tables of records.');
  end if;
  return v_records;
end
$$;

-- list_record_parts() -> {parts: [{table, starts_at, ends_at, files?: [{records, location, file, sha256}]}]}, oldest
-- first: the parts that the tables of records have, and those that are only in files.
create or replace function public.list_record_parts(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor);
begin
  perform app.refuse_limited(v_actor);
  return jsonb_build_object('parts', (
    select coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(p)) order by p.starts_at, p."table"), '[]')
    from (
      select r.table_name as "table", c.starts_at, c.ends_at, null::jsonb as files
      from app.record_tables r cross join lateral app.list_partitions(r) c
      union all
      select a.table_name, a.starts_at, a.ends_at, jsonb_agg(jsonb_build_object(
          'records', a.records, 'location', a.location, 'file', a.file, 'sha256', a.sha256) order by a.part)
      from app.record_archives a join app.record_tables r on r.table_name = a.table_name
      where a.tenant_id = v_actor.tenant_id and to_regclass(app.name_partition(r, a.starts_at)) is null
      group by 1, 2, 3) p));
end
$$;

-- Counts a workspace's records in a part of a table.
create or replace function app.count_records(records app.record_tables, starts_at timestamptz, tenant_id uuid)
  returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_count bigint;
begin
  execute format('select count(*) from public.%1$I x where x.tenant_id = $1 and x.%2$I >= $2 and x.%2$I < $3',
      records.table_name, app.time_of_records(format('public.%I', records.table_name)::regclass))
    into v_count
    using tenant_id, starts_at, app.period_start(starts_at, records.period, 1);
  return v_count;
end
$$;

-- read_records(table_name, starts_at, after?, page_size) -> {records: [rows]}: those of one part, by key; `after` is
-- the last row of the page before.
create or replace function public.read_records(
  table_name text,
  starts_at timestamptz,
  after jsonb default null,
  page_size integer default 1000,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_reader(actor);
  v_records app.record_tables := app.find_records(table_name);
  v_table regclass := format('public.%I', v_records.table_name)::regclass;
  v_size integer := app.page_size(page_size, 5000);
  v_found jsonb;
begin
  execute format($query$
      select jsonb_agg(to_jsonb(x) - 'tenant_id' order by %3$s)
      from (
        select x.* from %1$s x
        where x.tenant_id = $1 and x.%2$I >= $2 and x.%2$I < $3%4$s
        order by %3$s limit $5) x$query$,
      v_table, app.time_of_records(v_table), app.write_key(v_table, 'x.%1$I'),
      case when after is not null then format(' and (%s) > (%s)', app.write_key(v_table, 'x.%1$I'),
        app.write_key(v_table, '($4 ->> %1$L)::%2$s')) end)
    into v_found
    using v_actor.tenant_id, starts_at, app.period_start(starts_at, v_records.period, 1), after, v_size;
  return jsonb_build_object('records', coalesce(v_found, '[]'));
exception
  when data_exception then
    perform app.fail('invalid_input', 'after must be the last record of the page before.',
      jsonb_build_object('field', 'after'));
end
$$;

-- archive_records({table, starts_at, location, parts: [{records, file, sha256}]}) -> {records}: keeps that a
-- workspace's part of a table is in files. Raises invalid_input if the files hold another number of records than the
-- table.
create or replace function public.archive_records(manifest jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
declare
  v_actor app.actor := app.authenticate_system(actor);
  v_records app.record_tables := app.find_records(manifest ->> 'table');
  v_from timestamptz := app.period_start((manifest ->> 'starts_at')::timestamptz, v_records.period);
  v_there bigint := app.count_records(v_records, v_from, v_actor.tenant_id);
  v_written bigint := (
    select coalesce(sum((p ->> 'records')::bigint), 0) from jsonb_array_elements(manifest -> 'parts') p);
begin
  if v_written <> v_there then
    perform app.fail('invalid_input',
      format('The files hold %s records of %s, and the table has %s.', v_written, v_records.table_name, v_there), null,
      'Records were added meanwhile: archive again.');
  end if;
  delete from app.record_archives a
    where a.tenant_id = v_actor.tenant_id and a.table_name = v_records.table_name and a.starts_at = v_from;
  insert into app.record_archives (tenant_id, table_name, starts_at, ends_at, part, records, location, file, sha256,
      created_at)
    select v_actor.tenant_id, v_records.table_name, v_from, app.period_start(v_from, v_records.period, 1), p.at - 1,
      (p.item ->> 'records')::bigint, manifest ->> 'location', p.item ->> 'file', p.item ->> 'sha256', app.now()
    from jsonb_array_elements(manifest -> 'parts') with ordinality p (item, at);
  return jsonb_build_object('records', v_written);
end
$$;

-- The files whose records are too old to keep, in every workspace. Runs as cairn_keeper.
create or replace function app.expired_record_files()
  returns table (tenant_id uuid, table_name text, starts_at timestamptz, part integer, location text, file text)
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select a.tenant_id, a.table_name, a.starts_at, a.part, a.location, a.file
  from app.record_archives a join app.record_tables r on r.table_name = a.table_name
  where a.ends_at + make_interval(days => r.keep_days) <= app.now()
  order by a.starts_at, a.table_name, a.tenant_id, a.part
  limit 1000
$$;

-- expired_record_files() -> {files: [{tenant_id, table, starts_at, part, location, file}]}, oldest first, 1,000 at
-- most. For the server's role.
create or replace function public.expired_record_files(actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_server(actor);
begin
  return jsonb_build_object('files', (
    select coalesce(jsonb_agg(to_jsonb(e) - 'table_name' || jsonb_build_object('table', e.table_name)), '[]')
    from app.expired_record_files() e));
end
$$;

-- forget_record_file(table_name, starts_at, part) -> {forgotten}: the file was deleted. For the server's role.
create or replace function public.forget_record_file(
  table_name text,
  starts_at timestamptz,
  part integer,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate_system(actor);
begin
  delete from app.record_archives a
    where a.tenant_id = v_actor.tenant_id and a.table_name = forget_record_file.table_name
      and a.starts_at = forget_record_file.starts_at and a.part = forget_record_file.part;
  return jsonb_build_object('forgotten', found);
end
$$;

-- import_records(table_name, records) -> {imported, skipped}: rows as read_records gave them; those that are there are
-- skipped, as are those that would be deleted at once. Raises invalid_input.
create or replace function public.import_records(table_name text, records jsonb, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set statement_timeout = '1min'
as $$
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
  v_from := coalesce(app.now() - make_interval(days => v_records.keep_days), 'epoch');
  if coalesce(jsonb_typeof(records), 'null') <> 'array' or jsonb_array_length(records) not between 1 and 1000 then
    perform app.fail('invalid_input', 'records must be a list of 1 to 1,000 records.',
      jsonb_build_object('field', 'records'));
  end if;
  v_rows := (
    select jsonb_agg(r || jsonb_build_object('tenant_id', v_actor.tenant_id)) from jsonb_array_elements(records) r
    where (r ->> v_time)::timestamptz between v_from and app.now() + interval '1 day');
  perform app.maintain_partitions(t.starts_at)
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
    perform app.fail('invalid_input', format('A record of %s does not fit its table: %s.', table_name, sqlerrm), null,
      'The file was changed, or is of another version. Export it again.');
end
$$;
