-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.check_call(agent jsonb, asked jsonb)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  perform app.check_form('agent', jsonb_typeof(agent) = 'object' and jsonb_typeof(agent -> 'name') = 'string'
    and agent ->> 'driver' in ('hook', 'pull'), 'an object with a name, and a driver: hook or pull');
  perform app.check_form('asked', jsonb_typeof(asked) = 'object' and (not asked ? 'takes'
    or asked ->> 'takes' in ('nothing', 'joining', 'next')), 'an object whose takes is nothing, joining or next');
  perform app.check_form('turn', not asked ? 'turn' or jsonb_typeof(asked -> 'turn') = 'object', 'an object');
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.end_caller_runs(agent public.agents, turn jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_stop constant text := app.stop_reason(agent);
begin
  perform from public.commands c
    where c.tenant_id = agent.tenant_id and c.id in (
      select r.command_id from public.agent_runs r
      where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and app.is_active(r))
    order by c.id for no key update;
  return (
    select coalesce(jsonb_agg(jsonb_build_object('stream', 'run:' || r.id, 'verb', true, 'type', 'run.finished', 'data',
      case
        when r.interrupt_requested then app.interrupted_end(r)
        when v_stop is not null then jsonb_build_object('status', 'cancelled', 'end_reason', 'emergency_stop',
          'error', 'Stopped: ' || v_stop)
        else turn end) order by r.id), '[]')
    from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and app.is_active(r) and r.delivered_at is not null
      and (turn is not null or r.interrupt_requested or v_stop is not null));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.give_to_caller(agent public.agents, takes text, again boolean, actor app.actor, at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_run public.agent_runs := app.held_by_caller(agent, coalesce(again, false), at);
  v_overdue jsonb;
begin
  if v_run.id is not null then
    return app.describe_started(v_run, agent) || '{"again": true}';
  end if;
  v_overdue := app.settle_lost_runs(agent, array(
    select r.id from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and app.is_active(r)), at);
  if v_overdue <> '[]' then
    perform app.append_checked(v_overdue, actor);
  end if;
  v_run := app.next_run(agent, at, takes = 'joining');
  if v_run.id is null then
    return jsonb_build_object('nothing', coalesce(app.stop_reason(agent), 'nothing waits for it'));
  end if;
  update public.agents a set activity_state = 'processing'
    where a.tenant_id = agent.tenant_id and a.id = agent.id;
  return app.start_run(v_run, agent, actor, at);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.held_by_caller(agent public.agents, any_of_them boolean, at timestamp with time zone)
 RETURNS public.agent_runs
 LANGUAGE sql
 STABLE
AS $function$
  select r.*
  from public.agent_runs r
  where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and app.is_active(r)
    and (any_of_them or r.delivered_at is null and r.updated_at < at - interval '5 seconds')
  order by r.priority desc, r.created_at, r.id limit 1
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.lock_caller(about jsonb, actor app.actor, at timestamp with time zone)
 RETURNS public.agents
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_agent public.agents;
  v_lease public.leases;
  v_change jsonb := about - '{name,project}'::text[];
  v_is_driven boolean;
  v_events jsonb := '[]';
begin
  if lower(about ->> 'name') is distinct from lower(actor.agent) then
    perform app.fail('forbidden', 'An agent takes its own commands alone.', null, 'Call in under your own name.');
  end if;
  -- Whoever is limited to a project works for it alone.
  about := about || jsonb_strip_nulls(jsonb_build_object('project', actor.project_id));
  v_agent := app.lock_agent_named(about ->> 'name', actor);
  if v_agent.id is null then
    v_agent.id := app.uuid_v7();
    perform app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'agent:' || v_agent.id, 'verb', true,
      'type', 'agent.registered', 'data', about)) || app.retire_callers(actor, at), actor);
    perform app.ensure_settling(actor.tenant_id, at);
  elsif v_agent.user_id <> actor.user_id then
    perform app.fail('already_exists', format('The agent %s is another person''s.', v_agent.name),
      jsonb_build_object('field', 'name'), 'Choose another name with CAIRN_AGENT.');
  end if;
  select * into v_lease from public.leases l
    where l.tenant_id = actor.tenant_id and l.kind = 'agent' and l.id = v_agent.id and l.expires_at > at;
  v_is_driven := v_lease.token is not null and v_agent.driver is not null and not app.has_no_runner(v_agent);
  if v_lease.token is null then
    v_lease.tenant_id := actor.tenant_id;
    v_lease.kind := 'agent';
    v_lease.id := v_agent.id;
    v_lease.project_id := actor.project_id;
    v_lease.holder := app.actor_name(actor);
    v_lease.ttl_seconds := 45;
    v_lease := app.take_lease(v_lease, at);
  end if;
  if v_is_driven or v_lease.token is null then
    perform app.fail('lock_held', format('A runner drives %s.', about ->> 'name'), null,
      'Its commands come through its runner.');
  end if;
  perform app.extend_lease(actor.tenant_id, 'agent', v_agent.id, v_lease.token, at, actor.user_id);
  if v_agent.driver = 'hook' and v_change ->> 'driver' = 'pull' then
    v_change := v_change - '{driver,config}'::text[];
  elsif v_agent.driver is not null and not app.has_no_runner(v_agent) then
    v_events := app.settle_lost_runs(v_agent, '{}', at);
  end if;
  if v_agent.driver is not null and not to_jsonb(v_agent) @> v_change then
    v_events := v_events || jsonb_build_object('stream', 'agent:' || v_agent.id, 'verb', true,
      'type', 'agent.configured', 'data', v_change);
  end if;
  if v_events <> '[]' then
    perform app.append_checked(v_events, actor);
  end if;
  return v_agent;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.retire_callers(actor app.actor, at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(jsonb_agg(jsonb_build_object('stream', 'agent:' || c.id, 'type', 'agent.retired') order by c.id),
    '[]')
  from (
    select a.id
    from public.agents a
    left join public.projects p on p.tenant_id = a.tenant_id and p.id = a.project_id
    where a.tenant_id = actor.tenant_id and a.user_id = actor.user_id and a.retired_at is null
      and app.has_no_runner(a) and a.driver <> 'otlp' and a.seen_at < at - interval '1 day' and p.archived_at is null
    order by a.id limit 10) c
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.call_in(agent jsonb, asked jsonb DEFAULT '{}'::jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_now timestamptz := app.now();
  v_caller public.agents;
  v_takes constant text := coalesce(asked ->> 'takes', 'next');
  v_ended jsonb;
  v_run public.agent_runs;
begin
  perform app.check_call(agent, asked);
  v_caller := app.lock_caller(agent, v_actor, v_now);
  perform app.enter_connect(v_caller, v_caller.seen_at >= v_now - interval '15 minutes', v_actor);
  update public.agents a
    set status = 'online', seen_at = v_now, disconnected_at = null,
      connected_at = case when a.seen_at >= v_now - interval '15 minutes' then a.connected_at else v_now end,
      activity_state = case when asked -> 'idle' = 'true' then 'idle' else 'processing' end
    where a.tenant_id = v_actor.tenant_id and a.id = v_caller.id
    returning * into v_caller;
  v_ended := app.end_caller_runs(v_caller, asked -> 'turn');
  if v_ended <> '[]' then
    perform app.append_checked(v_ended, v_actor);
  end if;
  for v_run in
    select * from public.agent_runs r
    where r.tenant_id = v_caller.tenant_id and r.agent_id = v_caller.id and app.is_active(r) order by r.id
  loop
    perform app.extend_run(v_run, v_run.lock_token, v_actor.user_id, v_now);
  end loop;
  if v_ended @> '[{"data": {"status": "cancelled"}}]' and not asked ? 'turn' then
    return jsonb_build_object('interrupt', v_ended -> 0 -> 'data' -> 'error');
  elsif v_takes = 'nothing' then
    return '{"nothing": "nothing was asked for"}';
  end if;
  return app.give_to_caller(v_caller, v_takes, asked -> 'again' = 'true', v_actor, v_now);
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.call_in(jsonb,jsonb,jsonb) to authenticated;
grant execute on function public.call_in(jsonb,jsonb,jsonb) to cairn_server;
grant execute on function public.call_in(jsonb,jsonb,jsonb) to service_role;
