-- Records: what machines report in volume (output, steps, usage). Rows in partitions by time, with a retention; they
-- are no events and nothing folds them, so verify and replay leave them alone.

-- Declares a table of records, which its chapter has made before: partitioned by range of one time, its key led by the
-- workspace and with that time in it. Its partitions are of a week or a month, by UTC.
--   Records older than `archive_days` are moved to files where there is a place for them, those older than `keep_days`
-- are deleted, their files too; one of both may be null, for never. With `appended` rows are only added.
create or replace function app.define_records(
  table_name text,
  period text,
  archive_days integer default null,
  keep_days integer default null,
  appended boolean default true
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table regclass := format('public.%I', table_name)::regclass;
  v_wanted constant app.record_tables := row(table_name, period, appended, archive_days, keep_days);
begin
  if app.time_of_records(v_table) is null or (app.key_of_records(v_table))[1] <> 'tenant_id' then
    raise exception '% must be partitioned by range of a timestamptz, and its primary key begin with tenant_id.',
      table_name;
  end if;
  if coalesce(archive_days, keep_days) is null then
    raise exception '% must be archived or deleted some day.', table_name;
  end if;
  if not exists (select from app.record_tables r where r = v_wanted) then
    alter table app.record_tables no force row level security;
    insert into app.record_tables as r select v_wanted.*
      on conflict on constraint record_tables_pkey do update
        set (period, appended, archive_days, keep_days)
          = (excluded.period, excluded.appended, excluded.archive_days, excluded.keep_days);
    alter table app.record_tables force row level security;
  end if;
  perform app.secure_table(v_table);
  perform app.make_partitions();
end
$$;

-- Finds the column that a table is partitioned by; null if that is not one time.
create or replace function app.time_of_records(name regclass)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select a.attname
  from pg_partitioned_table p
  join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
  where p.partrelid = name and p.partstrat = 'r' and p.partnatts = 1 and a.atttypid = 'timestamptz'::regtype
$$;

create or replace function app.key_of_records(name regclass)
  returns text[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select array_agg(a.attname::text order by k.at)
  from pg_constraint c
  cross join unnest(c.conkey) with ordinality k (attnum, at)
  join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum
  where c.conrelid = name and c.contype = 'p'
$$;

-- Writes the columns of the key after the workspace, each in a form that takes its name and its type.
create or replace function app.write_key(name regclass, form text)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format(form, a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by k.at)
  from unnest((app.key_of_records(name))[2:]) with ordinality k (name, at)
  join pg_attribute a on a.attrelid = write_key.name and a.attname = k.name
$$;

-- Writes the columns that are not generated.
create or replace function app.given_columns(name regclass)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
  where a.attrelid = name and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
$$;

-- The begin of the week or the month that a time is in, so many further on.
create or replace function app.period_start(at timestamptz, period text, further integer default 0)
  returns timestamptz
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select (date_trunc(period, at at time zone 'UTC') + further * ('1 ' || period)::interval) at time zone 'UTC'
$$;

-- A partition is named after its table and the day on which it begins.
create or replace function app.name_partition(records app.record_tables, starts_at timestamptz)
  returns text
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select format('app.%I', records.table_name || to_char(starts_at at time zone 'UTC', '_YYYYMMDD'))
$$;

create or replace function app.partition_start(child regclass)
  returns timestamptz
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select (right(child::text, 8)::date)::timestamp at time zone 'UTC'
$$;

create or replace function app.list_partitions(records app.record_tables)
  returns table (child regclass, starts_at timestamptz, ends_at timestamptz)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select p.child, app.partition_start(p.child), app.period_start(app.partition_start(p.child), records.period, 1)
  from (
    select i.inhrelid::regclass as child from pg_inherits i
    where i.inhparent = format('public.%I', records.table_name)::regclass) p
  order by 2
$$;

-- Makes the partition that begins then, if there is none. A table that is attached locks out nobody. What secures the
-- table does not reach a partition that is named itself, so nobody may do that but who counts what is old.
create or replace function app.make_partition(records app.record_tables, starts_at timestamptz)
  returns text
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_path constant text := app.name_partition(records, starts_at);
begin
  if to_regclass(v_path) is not null then
    return null;
  end if;
  execute format('create table %s (like public.%I including defaults including constraints including generated)',
    v_path, records.table_name);
  execute format('revoke all on table %s from public, anon, authenticated, service_role', v_path);
  execute format('alter table %s enable row level security', v_path);
  execute format('alter table %s force row level security', v_path);
  execute format('grant select on table %s to cairn_keeper', v_path);
  execute format('create policy keeper_read on %s for select to cairn_keeper using (true)', v_path);
  execute format('alter table public.%I attach partition %s for values from (%L) to (%L)',
    records.table_name, v_path, starts_at, app.period_start(starts_at, records.period, 1));
  return split_part(v_path, '.', 2);
end
$$;

-- Makes the partitions of the next two months, and of a time that is wanted; returns their names. Runs as the role that
-- migrates, over the tables of the registry alone.
create or replace function app.make_partitions(wanted timestamptz default null)
  returns text[]
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_records app.record_tables;
  v_now constant timestamptz := app.now();
  v_made text[] := '{}';
begin
  perform pg_advisory_xact_lock(hashtextextended('cairn partitions', 0));
  for v_records in select r.* from app.record_tables r order by r.table_name loop
    v_made := v_made || array(
      select app.make_partition(v_records, s.starts_at)
      from (
        select app.period_start(v_now, v_records.period, n) as starts_at from generate_series(0, 9) n
        union
        select app.period_start(wanted, v_records.period) where wanted is not null) s
      where s.starts_at <= v_now + interval '2 months'
      order by s.starts_at);
  end loop;
  return array_remove(v_made, null);
end
$$;

-- Drops one partition that may go, and returns {name, table, starts_at, ends_at, workspaces}; null if none may, or
-- whoever uses it does not leave it in time. Its table is locked for the drop, so what follows in the transaction is
-- short. Runs as the role that migrates.
create or replace function app.drop_partition()
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_now constant timestamptz := app.now();
  v_found record;
  v_workspaces uuid[];
begin
  for v_found in
    select r as records, p.child, p.child::text as name, p.starts_at, p.ends_at
    from app.record_tables r cross join lateral app.list_partitions(r) p
    where p.ends_at <= v_now
    order by p.starts_at
  loop
    continue when not app.is_disposable(v_found.records, v_found.child, v_found.ends_at, v_now);
    begin
      -- Who adds a record late is waited for.
      execute format('lock table %s in share row exclusive mode', v_found.child);
      if app.is_disposable(v_found.records, v_found.child, v_found.ends_at, v_now) then
        v_workspaces := array(select app.workspaces_in(v_found.child));
        execute format('drop table %s', v_found.child);
        return jsonb_build_object('name', split_part(v_found.name, '.', 2), 'table', (v_found.records).table_name,
          'starts_at', v_found.starts_at, 'ends_at', v_found.ends_at, 'workspaces', v_workspaces);
      end if;
    exception
      when lock_not_available then
        null;
    end;
  end loop;
  return null;
end
$$;

-- Refreshes the statistics of the tables themselves: autovacuum knows their partitions alone. Runs as the role that
-- migrates, which owns them.
create or replace function app.analyze_records()
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text;
begin
  for v_name in select r.table_name from app.record_tables r loop
    execute format('analyze public.%I', v_name);
  end loop;
end
$$;

-- Refuses records of a time that their table does not take any more, or not yet; else makes sure of its partition. A
-- verb that adds records begins with it, for the first and the last of their times.
create or replace function app.ensure_partition(table_name text, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_records app.record_tables;
  v_days integer;
begin
  select * into strict v_records from app.record_tables r where r.table_name = ensure_partition.table_name;
  v_days := least(v_records.archive_days, v_records.keep_days, 366);
  if at is null or at not between app.now() - make_interval(days => v_days) and app.now() + interval '1 day' then
    perform app.fail('invalid_input',
      format('The time of a record is not one of the last %s days.', v_days), null,
      'Send its own time; if that is what it says, compare the clocks of both machines.');
  end if;
  if to_regclass(app.name_partition(v_records, app.period_start(at, v_records.period))) is null then
    perform app.make_partitions(at);
  end if;
end
$$;

-- Tells whether a partition may go: its records are too old to keep, or all of them are in files.
create or replace function app.is_disposable(
  records app.record_tables,
  child regclass,
  ends_at timestamptz,
  at timestamptz
)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(ends_at + make_interval(days => records.keep_days) <= at, false)
    or coalesce(ends_at + make_interval(days => records.archive_days) <= at, false)
      and not exists (select from app.unarchived_records(records.table_name, child))
$$;

-- Measures the records of each workspace in a partition: how many, and a checksum of their content, in whatever order.
-- Runs as cairn_keeper, which sees the partitions of all workspaces.
create or replace function app.measure_records(child regclass)
  returns table (tenant_id uuid, records bigint, checksum numeric)
  language plpgsql
  stable
  strict
  security definer
  set search_path = pg_catalog, pg_temp
  -- A row as text depends on them.
  set timezone = 'UTC'
  set datestyle = 'ISO'
  set extra_float_digits = 1
as $$
begin
  return query execute format(
    'select x.tenant_id, count(*), sum(hashtextextended(x::text, 0)::numeric) from %s x group by 1', child);
end
$$;

-- Finds the workspaces that have records in a partition, by its key, whatever its size.
create or replace function app.workspaces_in(child regclass)
  returns setof uuid
  language plpgsql
  stable
  strict
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant uuid;
begin
  loop
    execute format('select x.tenant_id from %s x where $1 is null or x.tenant_id > $1 order by 1 limit 1', child)
      into v_tenant using v_tenant;
    exit when v_tenant is null;
    return next v_tenant;
  end loop;
end
$$;

-- Finds the workspaces that have records in a partition which are not in files as they are.
create or replace function app.unarchived_records(table_name text, child regclass)
  returns table (tenant_id uuid)
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select m.tenant_id
  from app.measure_records(child) m
  where (m.records, m.checksum) is distinct from (
    select (sum(a.records)::bigint, min(a.checksum)) from app.record_archives a
    where a.tenant_id = m.tenant_id and a.table_name = $1 and a.starts_at = app.partition_start(child))
$$;

select app.define_on_tables($policies$
  create policy keeper_read on app.record_archives for select to cairn_keeper using (true);
  create policy keeper_read on app.replaced_record_files for select to cairn_keeper using (true);
$policies$);
