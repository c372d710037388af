-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table public.messages (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  user_id uuid not null,
  topic text not null,
  payload jsonb not null,
  version bigint not null,
  created_at timestamp with time zone not null,
  constraint messages_pkey PRIMARY KEY (tenant_id, id),
  constraint messages_tenant_id_project_id_fkey FOREIGN KEY (tenant_id, project_id) REFERENCES public.projects(tenant_id, id),
  constraint messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id)
);
CREATE INDEX idx_messages_topic ON public.messages USING btree (tenant_id, topic, created_at);
alter table public.messages enable row level security;
alter table public.messages force row level security;
create policy door on public.messages as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.messages as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.messages as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.messages as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.messages as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.messages as restrictive for all to cairn_owner using (app.token_allows_project(project_id)) with check (app.token_allows_project(project_id));

-- Privileges

grant select on public.messages to authenticated;
grant delete, insert, select, update on public.messages to cairn_owner;
