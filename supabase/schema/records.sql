-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table app.record_archives (
  tenant_id uuid not null,
  table_name text not null,
  starts_at timestamp with time zone not null,
  ends_at timestamp with time zone not null,
  part integer not null,
  records bigint not null,
  location text not null,
  file text not null,
  sha256 text not null,
  created_at timestamp with time zone not null,
  checksum numeric not null,
  constraint record_archives_pkey PRIMARY KEY (tenant_id, table_name, starts_at, part),
  constraint record_archives_table_name_fkey FOREIGN KEY (table_name) REFERENCES app.record_tables(table_name),
  constraint record_archives_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint record_archives_check CHECK ((ends_at > starts_at)),
  constraint record_archives_file_check CHECK ((file ~ '^[a-z0-9][a-z0-9.-]{0,199}$'::text)),
  constraint record_archives_location_check CHECK (((char_length(location) >= 1) AND (char_length(location) <= 1000))),
  constraint record_archives_part_check CHECK ((part >= 0)),
  constraint record_archives_records_check CHECK ((records > 0)),
  constraint record_archives_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text))
);
alter table app.record_archives enable row level security;
alter table app.record_archives force row level security;
create policy door on app.record_archives as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy keeper_read on app.record_archives as permissive for select to cairn_keeper using (true);

create table app.record_tables (
  table_name text not null,
  period text not null,
  appended boolean not null,
  archive_days integer,
  keep_days integer,
  constraint record_tables_pkey PRIMARY KEY (table_name),
  constraint record_tables_archive_days_check CHECK ((archive_days > 0)),
  constraint record_tables_check CHECK ((keep_days > COALESCE(archive_days, 0))),
  constraint record_tables_period_check CHECK ((period = ANY (ARRAY['week'::text, 'month'::text]))),
  constraint record_tables_table_name_check CHECK ((table_name ~ '^[a-z][a-z_]{0,39}$'::text))
);
alter table app.record_tables enable row level security;
alter table app.record_tables force row level security;
create policy read on app.record_tables as permissive for select to cairn_keeper, cairn_owner using (true);

-- Rows that are part of the schema

-- app.record_tables: (agent_messages,month,t,90,)
-- app.record_tables: (agent_steps,month,f,90,)
-- app.record_tables: (audit_entries,month,t,,30)
-- app.record_tables: (terminal_outputs,week,t,30,90)

-- Functions

CREATE OR REPLACE FUNCTION app.analyze_records()
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_name text;
begin
  for v_name in select r.table_name from app.record_tables r loop
    execute format('analyze public.%I', v_name);
  end loop;
end
$function$;
-- owner whoever migrates

CREATE OR REPLACE FUNCTION app.define_records(table_name text, period text, archive_days integer DEFAULT NULL::integer, keep_days integer DEFAULT NULL::integer, appended boolean DEFAULT true)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.drop_partition()
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '2s'
AS $function$
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
$function$;
-- owner whoever migrates

CREATE OR REPLACE FUNCTION app.ensure_partition(table_name text, at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.given_columns(name regclass)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
  where a.attrelid = name and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_disposable(records app.record_tables, child regclass, ends_at timestamp with time zone, at timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select coalesce(ends_at + make_interval(days => records.keep_days) <= at, false)
    or coalesce(ends_at + make_interval(days => records.archive_days) <= at, false)
      and not exists (select from app.unarchived_records(records.table_name, child))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.key_of_records(name regclass)
 RETURNS text[]
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select array_agg(a.attname::text order by k.at)
  from pg_constraint c
  cross join unnest(c.conkey) with ordinality k (attnum, at)
  join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum
  where c.conrelid = name and c.contype = 'p'
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.list_partitions(records app.record_tables)
 RETURNS TABLE(child regclass, starts_at timestamp with time zone, ends_at timestamp with time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select p.child, app.partition_start(p.child), app.period_start(app.partition_start(p.child), records.period, 1)
  from (
    select i.inhrelid::regclass as child from pg_inherits i
    where i.inhparent = format('public.%I', records.table_name)::regclass) p
  order by 2
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.make_partition(records app.record_tables, starts_at timestamp with time zone)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.make_partitions(wanted timestamp with time zone DEFAULT NULL::timestamp with time zone)
 RETURNS text[]
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '2s'
AS $function$
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
$function$;
-- owner whoever migrates

CREATE OR REPLACE FUNCTION app.measure_records(child regclass)
 RETURNS TABLE(tenant_id uuid, records bigint, checksum numeric)
 LANGUAGE plpgsql
 STABLE STRICT SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET "TimeZone" TO 'UTC'
 SET "DateStyle" TO 'ISO'
 SET extra_float_digits TO '1'
AS $function$
begin
  return query execute format(
    'select x.tenant_id, count(*), sum(hashtextextended(x::text, 0)::numeric) from %s x group by 1', child);
end
$function$;
-- owner cairn_keeper

CREATE OR REPLACE FUNCTION app.name_partition(records app.record_tables, starts_at timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select format('app.%I', records.table_name || to_char(starts_at at time zone 'UTC', '_YYYYMMDD'))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.partition_start(child regclass)
 RETURNS timestamp with time zone
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select (right(child::text, 8)::date)::timestamp at time zone 'UTC'
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.period_start(at timestamp with time zone, period text, further integer DEFAULT 0)
 RETURNS timestamp with time zone
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select (date_trunc(period, at at time zone 'UTC') + further * ('1 ' || period)::interval) at time zone 'UTC'
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.time_of_records(name regclass)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select a.attname
  from pg_partitioned_table p
  join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
  where p.partrelid = name and p.partstrat = 'r' and p.partnatts = 1 and a.atttypid = 'timestamptz'::regtype
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.unarchived_records(table_name text, child regclass)
 RETURNS TABLE(tenant_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select m.tenant_id
  from app.measure_records(child) m
  where (m.records, m.checksum) is distinct from (
    select (sum(a.records)::bigint, min(a.checksum)) from app.record_archives a
    where a.tenant_id = m.tenant_id and a.table_name = $1 and a.starts_at = app.partition_start(child))
$function$;
-- owner cairn_keeper

CREATE OR REPLACE FUNCTION app.workspaces_in(child regclass)
 RETURNS SETOF uuid
 LANGUAGE plpgsql
 STABLE STRICT SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_keeper

CREATE OR REPLACE FUNCTION app.write_key(name regclass, form text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  select string_agg(format(form, a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by k.at)
  from unnest((app.key_of_records(name))[2:]) with ordinality k (name, at)
  join pg_attribute a on a.attrelid = write_key.name and a.attname = k.name
$function$;
-- owner cairn_owner

-- Privileges

grant select on app.record_archives to cairn_keeper;
grant delete, insert, select, update on app.record_archives to cairn_owner;
grant select on app.record_tables to cairn_keeper;
grant select on app.record_tables to cairn_owner;
grant execute on function app.analyze_records() to cairn_owner;
grant execute on function app.drop_partition() to cairn_owner;
grant execute on function app.list_partitions(app.record_tables) to cairn_keeper;
grant execute on function app.make_partitions(timestamp with time zone) to cairn_owner;
grant execute on function app.measure_records(regclass) to cairn_owner;
grant execute on function app.partition_start(regclass) to cairn_keeper;
grant execute on function app.period_start(timestamp with time zone,text,integer) to cairn_keeper;
grant execute on function app.unarchived_records(text,regclass) to cairn_owner;
grant execute on function app.workspaces_in(regclass) to cairn_owner;
