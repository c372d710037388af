-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table app.output_days (
  tenant_id uuid not null,
  slot integer not null,
  day date not null,
  bytes bigint not null,
  constraint output_days_pkey PRIMARY KEY (tenant_id, slot),
  constraint output_days_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES public.tenants(id),
  constraint output_days_bytes_check CHECK ((bytes >= 0)),
  constraint output_days_slot_check CHECK (((slot >= 0) AND (slot <= 15)))
);
alter table app.output_days enable row level security;
alter table app.output_days force row level security;
create policy door on app.output_days as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));

-- Privileges

grant delete, insert, select, update on app.output_days to cairn_owner;
