-- Presence of processes, and the locks of those that ended.

create or replace function app.presence_lock(tenant_id uuid, process uuid) returns bigint language sql immutable
  return hashtextextended(concat_ws(' ', tenant_id, 'process', process), 0);

-- Tells how the session that keeps a task's lock ended: `ended 2 minutes ago`; null while it goes on, or if unknown.
create or replace function app.session_state(task public.tasks) returns text language sql stable
begin atomic
  select 'ended ' || app.format_age(l.session_ended_at) from public.leases l
  where l.tenant_id = task.tenant_id and l.kind = 'task' and l.id = task.id and l.token = task.lock_token
    and l.session_ended_at is not null;
end;

-- Tells whether that process of the user may be at work beside the caller's: one that has been silent longer than any
-- beat counts as an earlier one.
create or replace function app.may_be_present(tenant_id uuid, user_id uuid, process uuid) returns boolean
  language sql stable
begin atomic
  select exists (select from app.presence p
    where p.tenant_id = may_be_present.tenant_id and p.user_id = may_be_present.user_id
      and p.process = may_be_present.process and p.ended_at is null
      and p.beat_at > app.now() - interval '90 seconds');
end;

-- Tells whether that process of the user has not ended: it may be silent.
create or replace function app.has_not_ended(tenant_id uuid, user_id uuid, process uuid)
  returns boolean
  language sql
  stable
begin atomic
  select exists (
    select from app.presence p
    where p.tenant_id = has_not_ended.tenant_id
      and p.user_id = has_not_ended.user_id
      and p.process = has_not_ended.process
      and p.ended_at is null);
end;

-- Lists locks that the user's own ended sessions still hold: [{ref, locked_by}], until the locks lapse.
create or replace function app.left_locks(project public.projects, actor app.actor) returns jsonb language sql stable
begin atomic
  select jsonb_agg(jsonb_build_object('ref', f.ref, 'locked_by', f.locked_by)) from (
    select t.ref, t.locked_by from public.leases l
      join public.tasks t on t.tenant_id = l.tenant_id and t.id = l.id
    where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id
      and l.expires_at > app.now() and l.session_ended_at is not null and t.lock_token = l.token
      and t.status = 'in_progress'
      and t.locked_by_user = actor.user_id
    order by t.locked_at limit 10) f;
end;

-- Renews the locks under these names, and those of the caller's own process if it was wrongly taken to have ended.
-- Skips a lock that a call is just changing: the call renews it.
create or replace function app.renew_leases(actor app.actor, names text[], at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_process uuid := app.current_process();
begin
  update public.leases l
    set expires_at = greatest(l.expires_at, at + make_interval(secs => l.ttl_seconds)), session_ended_at = null,
      renewed_by = case when l.renewed_by <> v_process and app.has_not_ended(l.tenant_id, actor.user_id, l.renewed_by)
        then l.renewed_by else v_process end
    from (
      select x.id from public.leases x
        join public.tasks t on t.tenant_id = x.tenant_id and t.id = x.id and t.lock_token = x.token
      where x.tenant_id = actor.tenant_id and x.kind = 'task' and t.locked_by_user = actor.user_id
        and (x.renewed_by = v_process and x.session_ended_at is not null
          or t.locked_by = any (names) and x.expires_at > at)
      for update of x skip locked) own
    where l.tenant_id = actor.tenant_id and l.kind = 'task' and l.id = own.id;
end
$$;

-- Ends watched processes whose connection is gone, and shortens the locks of ended ones. After a restart of the server
-- all connections are gone: a living process reports again within a beat.
create or replace function app.end_lost_sessions(tenant_id uuid, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_locks bigint[];
begin
  if exists (
      select from app.presence p
      where p.tenant_id = end_lost_sessions.tenant_id and p.ended_at is null and p.watched and p.beat_at < at) then
    v_locks := array(
      select (l.classid::bigint << 32) | l.objid::bigint from pg_locks l
      where l.locktype = 'advisory'
        and l.granted
        and l.objsubid = 1
        and l.database = (select d.oid from pg_database d where d.datname = current_database()));
    -- Its last sign of life is the best that is known of when it was.
    update app.presence p set ended_at = p.beat_at
      from (
        select x.user_id, x.process from app.presence x
        where x.tenant_id = end_lost_sessions.tenant_id and x.ended_at is null and x.watched and x.beat_at < at
          and (x.beat_at > pg_postmaster_start_time() or x.beat_at < at - interval '25 seconds')
          and app.presence_lock(x.tenant_id, x.process) <> all (v_locks)
        order by x.user_id, x.process for update skip locked) lost
      where p.tenant_id = end_lost_sessions.tenant_id and p.user_id = lost.user_id and p.process = lost.process;
  end if;
  update public.leases l
    set expires_at = least(l.expires_at, at + interval '2 minutes'), session_ended_at = ended.ended_at
    from (
      select x.id, p.ended_at from public.leases x
        join public.tasks t on t.tenant_id = x.tenant_id and t.id = x.id and t.lock_token = x.token
        join app.presence p on p.tenant_id = x.tenant_id and p.user_id = t.locked_by_user and p.process = x.renewed_by
      where x.tenant_id = end_lost_sessions.tenant_id and x.kind = 'task' and p.ended_at is not null
        and x.session_ended_at is null
      order by x.id for update of x skip locked) ended
    where l.tenant_id = end_lost_sessions.tenant_id and l.kind = 'task' and l.id = ended.id;
end
$$;

-- Lets the caller's connection show the end of its process, if the connection is its own: only for the server's role,
-- and only without a pooler, which the caller knows.
create or replace function app.watch_process(actor app.actor) returns boolean language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not app.caller_is_server() then
    return false;
  end if;
  -- A machine that is gone says nothing: the server asks, and is sure within a minute. Over a socket this is nothing.
  perform set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
    set_config('tcp_keepalives_count', '3', false);
  perform pg_try_advisory_lock(app.presence_lock(actor.tenant_id, app.current_process()));
  return true;
end
$$;

-- report_presence(agents, watched, ended) -> {}: reports that the actor's process lives or has ended, and which agents
-- called lately. Like a lease, it is operational data and no event.
create or replace function public.report_presence(
  agents jsonb default '[]',
  watched boolean default false,
  ended boolean default false,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_process uuid := app.current_process();
  v_ended boolean := coalesce(ended, false);
  v_watched boolean;
  v_is_new boolean;
  v_now timestamptz := app.now();
begin
  if v_process is null then
    perform app.fail('invalid_input', 'actor.process is missing: it names the process that is present.', null,
      'It is a UUID.');
  elsif not coalesce(app.validate_field(agents, 'text[]', 100, null), false) then
    perform app.fail('invalid_input', 'agents must be a list of at most 100 names.', null,
      'Name them: ["claude-code#f33e"].');
  end if;
  v_watched := coalesce(watched, false) and not v_ended and app.watch_process(v_actor);
  insert into app.presence as p (tenant_id, process, user_id, agent, client, watched, started_at, beat_at, ended_at)
    values (v_actor.tenant_id, v_process, v_actor.user_id, v_actor.agent, v_actor.client, v_watched, v_now, v_now,
      case when v_ended then v_now end)
    on conflict on constraint presence_pkey do update
      set agent = coalesce(excluded.agent, p.agent), client = coalesce(excluded.client, p.client),
        watched = excluded.watched, beat_at = excluded.beat_at, ended_at = excluded.ended_at
    returning xmax = 0 into v_is_new;
  if not v_ended then
    perform app.renew_leases(v_actor, array(select jsonb_array_elements_text(agents)), v_now);
  end if;
  -- From here on it is not the caller who acts: a process that ended has ended in every project.
  perform set_config('app.project_id', '', true);
  perform app.end_lost_sessions(v_actor.tenant_id, v_now);
  if v_is_new then
    delete from app.presence p
      where p.tenant_id = v_actor.tenant_id
        and (p.beat_at < v_now - interval '7 days'
          or p.user_id = v_actor.user_id
            and p.process in (
              select k.process from app.presence k
              where k.tenant_id = v_actor.tenant_id and k.user_id = v_actor.user_id
              order by k.beat_at desc offset 100));
  end if;
  return '{}';
end
$$;
