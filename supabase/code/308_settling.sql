-- Settling: what runners that never came back have left.

-- Sees to it that the job of a workspace with agents is there.
create or replace function app.ensure_settling(tenant_id uuid, at timestamptz)
  returns void
  language sql
  set search_path = pg_catalog, pg_temp
as $$
  insert into app.jobs (tenant_id, kind, every_seconds, next_run_at)
    values (ensure_settling.tenant_id, 'runs', 300, at + interval '5 minutes')
    on conflict (tenant_id, kind) do nothing
$$;

-- Tells whether an agent has not been heard of for ten minutes in which a worker was at work: where all were away, as
-- on a machine that slept, they come back first. One without a runner says nothing while a tool of its works.
create or replace function app.has_vanished(agent public.agents, worked_at timestamptz, at timestamptz)
  returns boolean
  language sql
  immutable
as $$
  select coalesce(
    agent.seen_at < at - case when app.has_no_runner(agent) then interval '1 hour' else interval '10 minutes' end
    and agent.seen_at < worked_at - interval '1 minute', false)
$$;

-- The runs that an agent is believed to hold: none if it has vanished.
create or replace function app.believed_held(agent public.agents, worked_at timestamptz, at timestamptz)
  returns uuid[]
  language sql
  stable
as $$
  select array(
    select r.id from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.ended_at is null
      and not app.has_vanished(agent, worked_at, at))
$$;

-- settle_runs() -> {settled}: ends or gives back the runs of runners that never came back, ends those whose commands
-- expired in the queue, what was asked and not answered, and chats of which nothing is heard; shows agents as offline
-- that are. The job `runs` of each workspace that has agents. For the server's role.
create or replace function public.settle_runs(actor jsonb)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
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
$$;
