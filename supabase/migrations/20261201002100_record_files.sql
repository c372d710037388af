-- What of records is in files is compared by content too, since rows may be changed; files that others replaced wait to
-- be deleted.
alter table app.record_archives add column checksum numeric not null;

create table app.replaced_record_files (
  tenant_id uuid not null references public.tenants,
  location text not null,
  file text not null,
  primary key (tenant_id, location, file)
);

-- Partitions are made and dropped by functions of their own, and a workspace's records measured by one.
drop function if exists public.maintain_partitions(jsonb);
drop function if exists public.forget_record_file(text, timestamptz, integer, jsonb);
drop function if exists app.maintain_partitions(timestamptz);
drop function if exists app.unarchived_records(text, regclass);
drop function if exists app.count_records(app.record_tables, timestamptz, uuid);
drop function if exists app.expired_record_files();
drop function if exists app.drop_partition(app.record_tables, regclass, timestamptz, timestamptz);
drop function if exists app.is_disposable(app.record_tables, regclass, timestamptz, timestamptz);
