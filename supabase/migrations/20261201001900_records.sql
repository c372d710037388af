-- Records: what machines report in volume. The registry of their tables, and what of them was moved to files.
create table app.record_tables (
  table_name text primary key check (table_name ~ '^[a-z][a-z_]{0,39}$'),
  period text not null check (period in ('week', 'month')),
  appended boolean not null,
  archive_days integer check (archive_days > 0),
  keep_days integer check (keep_days > coalesce(archive_days, 0))
);

create table app.record_archives (
  tenant_id uuid not null references public.tenants,
  table_name text not null references app.record_tables,
  starts_at timestamptz not null,
  ends_at timestamptz not null check (ends_at > starts_at),
  part integer not null check (part >= 0),
  records bigint not null check (records > 0),
  location text not null check (char_length(location) between 1 and 1000),
  file text not null check (file ~ '^[a-z0-9][a-z0-9.-]{0,199}$'),
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  created_at timestamptz not null,
  primary key (tenant_id, table_name, starts_at, part)
);
