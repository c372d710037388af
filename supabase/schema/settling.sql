-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.believed_held(agent public.agents, worked_at timestamp with time zone, at timestamp with time zone)
 RETURNS uuid[]
 LANGUAGE sql
 STABLE
AS $function$
  select array(
    select r.id from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.ended_at is null
      and not app.has_vanished(agent, worked_at, at))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.ensure_settling(tenant_id uuid, at timestamp with time zone)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
  insert into app.jobs (tenant_id, kind, every_seconds, next_run_at)
    values (ensure_settling.tenant_id, 'runs', 300, at + interval '5 minutes')
    on conflict (tenant_id, kind) do nothing
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.has_vanished(agent public.agents, worked_at timestamp with time zone, at timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select coalesce(
    agent.seen_at < at - case when app.has_no_runner(agent) then interval '1 hour' else interval '10 minutes' end
    and agent.seen_at < worked_at - interval '1 minute', false)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.settle_runs(actor jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate_workspace(actor);
  v_now constant timestamptz := app.now();
  v_worked_at timestamptz := (
    select j.last_succeeded_at from app.jobs j where j.tenant_id = v_actor.tenant_id and j.kind = 'runs');
  v_agent public.agents;
  v_events jsonb;
  v_settled integer := 0;
begin
  v_actor := app.system_actor(v_actor.tenant_id);
  if v_actor.user_id is null then
    return jsonb_build_object('settled', 0);
  end if;
  for v_agent in
    select a.* from public.agents a
    where a.tenant_id = v_actor.tenant_id and exists (
      select from public.agent_runs r
      where r.tenant_id = a.tenant_id and r.agent_id = a.id and r.ended_at is null)
      -- Those whose queue merely waits would keep the others from their turn.
      and exists (select from app.overdue_runs(a, app.believed_held(a, v_worked_at, v_now), v_now))
    order by a.seen_at, a.id limit 200
  loop
    select * into v_agent from public.agents a
      where a.tenant_id = v_agent.tenant_id and a.id = v_agent.id for no key update;
    v_events := app.settle_lost_runs(v_agent, app.believed_held(v_agent, v_worked_at, v_now), v_now);
    if v_events <> '[]' then
      perform app.append_checked(v_events, v_actor);
      v_settled := v_settled + jsonb_array_length(v_events);
    end if;
  end loop;
  v_events := app.check_run_completion(v_actor.tenant_id, v_now);
  if v_events <> '[]' then
    perform app.append_checked(v_events, v_actor);
    v_settled := v_settled + jsonb_array_length(v_events);
  end if;
  perform app.expire_approvals(v_actor, null, v_now);
  for v_agent in
    select * from public.agents a
    where a.tenant_id = v_actor.tenant_id
      and a.retired_at is null
      and a.status <> 'offline'
      and app.has_vanished(a, v_worked_at, v_now)
    order by a.id for no key update
  loop
    perform app.enter_disconnect(v_agent, app.why_silent(v_agent), v_actor);
    update public.agents a
      set status = 'offline', activity_state = 'idle', disconnected_at = a.seen_at
      where a.tenant_id = v_agent.tenant_id and a.id = v_agent.id;
  end loop;
  return jsonb_build_object('settled', v_settled);
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.settle_runs(jsonb) to cairn_server;
grant execute on function public.settle_runs(jsonb) to service_role;
