-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.end_lost_sessions(tenant_id uuid, at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.has_not_ended(tenant_id uuid, user_id uuid, process uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
BEGIN ATOMIC
 SELECT (EXISTS ( SELECT
            FROM app.presence p
           WHERE ((p.tenant_id = has_not_ended.tenant_id) AND (p.user_id = has_not_ended.user_id) AND (p.process = has_not_ended.process) AND (p.ended_at IS NULL)))) AS "exists";
END;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.left_locks(project public.projects, actor app.actor)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
BEGIN ATOMIC
 SELECT jsonb_agg(jsonb_build_object('ref', f.ref, 'locked_by', f.locked_by)) AS jsonb_agg
    FROM ( SELECT t.ref,
             t.locked_by
            FROM (public.leases l
              JOIN public.tasks t ON (((t.tenant_id = l.tenant_id) AND (t.id = l.id))))
           WHERE ((l.tenant_id = (left_locks.project).tenant_id) AND (l.kind = 'task'::text) AND (l.project_id = (left_locks.project).id) AND (l.expires_at > app.now()) AND (l.session_ended_at IS NOT NULL) AND (t.lock_token = l.token) AND (t.status = 'in_progress'::text) AND (t.locked_by_user = (left_locks.actor).user_id))
           ORDER BY t.locked_at
          LIMIT 10) f;
END;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.may_be_present(tenant_id uuid, user_id uuid, process uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
BEGIN ATOMIC
 SELECT (EXISTS ( SELECT
            FROM app.presence p
           WHERE ((p.tenant_id = may_be_present.tenant_id) AND (p.user_id = may_be_present.user_id) AND (p.process = may_be_present.process) AND (p.ended_at IS NULL) AND (p.beat_at > (app.now() - '00:01:30'::interval))))) AS "exists";
END;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.presence_lock(tenant_id uuid, process uuid)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
RETURN hashtextextended(concat_ws(' '::text, tenant_id, 'process', process), (0)::bigint);
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.renew_leases(actor app.actor, names text[], at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.session_state(task public.tasks)
 RETURNS text
 LANGUAGE sql
 STABLE
BEGIN ATOMIC
 SELECT ('ended '::text || app.format_age(l.session_ended_at))
    FROM public.leases l
   WHERE ((l.tenant_id = (session_state.task).tenant_id) AND (l.kind = 'task'::text) AND (l.id = (session_state.task).id) AND (l.token = (session_state.task).lock_token) AND (l.session_ended_at IS NOT NULL));
END;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.watch_process(actor app.actor)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.report_presence(agents jsonb DEFAULT '[]'::jsonb, watched boolean DEFAULT false, ended boolean DEFAULT false, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.report_presence(jsonb,boolean,boolean,jsonb) to authenticated;
grant execute on function public.report_presence(jsonb,boolean,boolean,jsonb) to cairn_server;
grant execute on function public.report_presence(jsonb,boolean,boolean,jsonb) to service_role;
