-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Tables

create table public.leases (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid,
  token bigint not null,
  ttl_seconds integer not null,
  expires_at timestamp with time zone not null,
  process uuid,
  renewed_by uuid,
  session_ended_at timestamp with time zone,
  kind text not null,
  holder text not null,
  constraint leases_pkey PRIMARY KEY (tenant_id, kind, id),
  constraint leases_kind_check CHECK ((kind ~ '^[a-z][a-z_]{0,39}$'::text)),
  constraint leases_ttl_seconds_check CHECK (((ttl_seconds >= 1) AND (ttl_seconds <= 86400)))
) with (fillfactor=50);
CREATE INDEX idx_leases_expires_at ON public.leases USING btree (tenant_id, kind, project_id, expires_at);
CREATE INDEX idx_leases_renewed_by ON public.leases USING btree (tenant_id, renewed_by);
alter table public.leases enable row level security;
alter table public.leases force row level security;
create policy door on public.leases as permissive for all to cairn_owner using ((tenant_id = app.get_tenant_id())) with check ((tenant_id = app.get_tenant_id()));
create policy own_delete on public.leases as permissive for delete to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_insert on public.leases as permissive for insert to authenticated with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_select on public.leases as permissive for select to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy own_update on public.leases as permissive for update to authenticated using ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants))) with check ((tenant_id IN ( SELECT app.my_tenants() AS my_tenants)));
create policy reach on public.leases as restrictive for all to cairn_owner using (app.token_allows_project(COALESCE(project_id, app.get_nil_id()))) with check (app.token_allows_project(COALESCE(project_id, app.get_nil_id())));

-- Functions

CREATE OR REPLACE FUNCTION app.check_lease(tenant_id uuid, kind text, id uuid, token bigint, at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not exists (
      select from public.leases l
      where l.tenant_id = check_lease.tenant_id and l.kind = check_lease.kind and l.id = check_lease.id
        and l.token = check_lease.token and l.expires_at > at) then
    perform app.fail('lock_lost', format('The lease of the %s %s is not yours any more.', kind, id), null,
      'Stop work on it: another may have taken over.');
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.extend_lease(tenant_id uuid, kind text, id uuid, token bigint, at timestamp with time zone, user_id uuid DEFAULT NULL::uuid)
 RETURNS timestamp with time zone
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_process uuid := app.current_process();
  v_until timestamptz;
begin
  update public.leases l
    set expires_at = greatest(l.expires_at, at + make_interval(secs => l.ttl_seconds)), session_ended_at = null,
      (process, renewed_by) = (
        select case when k.is_kept then l.process else coalesce(v_process, l.process) end,
          case when k.is_kept then l.process else v_process end
        from (select l.process is not null
          and app.has_not_ended(l.tenant_id, extend_lease.user_id, l.process) as is_kept) k)
    where l.tenant_id = extend_lease.tenant_id and l.kind = extend_lease.kind and l.id = extend_lease.id
      and l.token = extend_lease.token
    returning l.expires_at into v_until;
  return v_until;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.release_lease(tenant_id uuid, kind text, id uuid, token bigint, at timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  update public.leases l set expires_at = least(l.expires_at, at)
    where l.tenant_id = release_lease.tenant_id and l.kind = release_lease.kind and l.id = release_lease.id
      and l.token = release_lease.token;
  return found;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.take_lease(wanted public.leases, at timestamp with time zone, take_over boolean DEFAULT false)
 RETURNS public.leases
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_process uuid := app.current_process();
  v_taken public.leases;
begin
  insert into public.leases as l (tenant_id, kind, id, project_id, token, holder, ttl_seconds, expires_at, process,
      renewed_by)
    values (wanted.tenant_id, wanted.kind, wanted.id, wanted.project_id, coalesce(wanted.token, 1), wanted.holder,
      wanted.ttl_seconds, at + make_interval(secs => wanted.ttl_seconds), v_process, v_process)
    on conflict (tenant_id, kind, id) do update
      set (project_id, token, holder, ttl_seconds, expires_at, process, renewed_by, session_ended_at)
        = (excluded.project_id, greatest(l.token + 1, excluded.token), excluded.holder, excluded.ttl_seconds,
          excluded.expires_at, excluded.process, excluded.renewed_by, null)
      where take_over or l.expires_at <= at
    returning * into v_taken;
  return v_taken;
end
$function$;
-- owner cairn_owner

-- Privileges

grant select on public.leases to authenticated;
grant delete, insert, select, update on public.leases to cairn_owner;
