-- Leases: who holds a thing, until when. The same rules for tasks and whatever else is claimed: a token only grows, a
-- lease that has expired is taken over inside the next claim, and a late holder is refused.

-- Takes the lease of a thing: returns it, or null while somebody else holds it. `wanted` names the thing, its holder
-- and the seconds; its token, if it has one, counts what the thing itself counts.
create or replace function app.take_lease(wanted public.leases, at timestamptz, take_over boolean default false)
  returns public.leases
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- Renews a lease for its holder: returns its end, or null if the token is not its own any more. The process that took
-- the lease keeps it, as long as that process of the user has not ended.
create or replace function app.extend_lease(
  tenant_id uuid,
  kind text,
  id uuid,
  token bigint,
  at timestamptz,
  user_id uuid default null
)
  returns timestamptz
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

-- Refuses whoever does not hold the lease, or no longer.
create or replace function app.check_lease(tenant_id uuid, kind text, id uuid, token bigint, at timestamptz)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
      select from public.leases l
      where l.tenant_id = check_lease.tenant_id and l.kind = check_lease.kind and l.id = check_lease.id
        and l.token = check_lease.token and l.expires_at > at) then
    perform app.fail('lock_lost', format('The lease of the %s %s is not yours any more.', kind, id), null,
      'Stop work on it: another may have taken over.');
  end if;
end
$$;

-- Gives a lease back. Its row stays, so that the next token is higher.
create or replace function app.release_lease(tenant_id uuid, kind text, id uuid, token bigint, at timestamptz)
  returns boolean
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update public.leases l set expires_at = least(l.expires_at, at)
    where l.tenant_id = release_lease.tenant_id and l.kind = release_lease.kind and l.id = release_lease.id
      and l.token = release_lease.token;
  return found;
end
$$;
