-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.account_of(agent public.agents)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select coalesce(agent.config ->> 'account', agent.type)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.agent_hold(agent public.agents, joins boolean, at timestamp with time zone)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_stopped constant text := app.stop_reason(agent);
  v_state constant text := app.agent_state(agent, at);
  v_limited timestamptz;
begin
  if v_stopped is not null then
    return v_stopped;
  elsif v_state in ('retired', 'connecting', 'offline', 'lost') then
    return case v_state
      when 'retired' then format('%s is retired', agent.name)
      when 'lost' then format('%s is not heard of since %s', agent.name, to_char(agent.seen_at at time zone 'UTC',
        'HH24:MI "UTC"'))
      else format(case when app.has_no_runner(agent) then '%s is not running'
        else '%s is not running; `cairn agent run --name %s -- PROGRAM` starts it' end, agent.name,
        app.shell_word(agent.name)) end;
  end if;
  v_limited := app.limited_until(agent);
  if v_limited > at then
    return format('the account of %s has met its provider''s limit, until %s', agent.name,
      to_char(v_limited at time zone 'UTC', 'HH24:MI "UTC"'));
  elsif not joins and app.runs_at_once(agent) <= (
      select count(*) from public.agent_runs r
      where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and app.is_active(r)) then
    return format('%s is busy', agent.name);
  end if;
  return null;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.degraded(agent public.agents, mode text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case when app.effective_mode(agent, mode) <> mode then
    format('taken as a %s: %s', app.effective_mode(agent, mode), case
      when agent.driver = 'hook' then 'hooks cannot ' || mode
      when agent.driver = 'pull' then 'it asks by itself'
      when mode = 'interrupt' and app.runs_at_once(agent) > 1 then 'of several runs at once none is interrupted'
      when agent.driver in ('claude', 'codex') then 'each of its runs has a process of its own'
      else format('%s cannot %s', agent.driver, mode) end) end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.effective_mode(agent public.agents, mode text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case
    when agent.config -> 'modes' ? mode then mode
    when mode = 'interrupt' and agent.config -> 'modes' ? 'steer' then 'steer'
    else 'turn' end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.evolve_run(run public.agent_runs, event public.events)
 RETURNS public.agent_runs
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  case event.event_type
    when 'run.queued' then
      run := jsonb_populate_record(run, '{"attempt": 0, "attempts_max": 3, "interrupt_requested": false}'
        || app.begin_row(event) || '{"status": "queued"}');
      run.expires_at := event.created_at + make_interval(secs => (event.payload ->> 'ttl_seconds')::integer);
    when 'run.opened' then
      run := jsonb_populate_record(run, '{"attempt": 1, "attempts_max": 1, "interrupt_requested": false,
        "mode": "chat", "priority": 0, "delivery_mode": "turn"}' || app.begin_row(event) || '{"status": "running"}');
      run.lock_token := event.version;
      run.started_at := event.created_at;
    when 'run.claimed' then
      run.status := 'running';
      run.attempt := run.attempt + 1;
      run.lock_token := coalesce((event.payload ->> 'lock_token')::bigint, event.version);
      run.started_at := coalesce(run.started_at, event.created_at);
    when 'run.delivered' then
      run.delivery_path := event.payload ->> 'path';
      run.delivered_at := event.created_at;
    when 'run.acknowledged' then
      run.acked_at := event.created_at;
    when 'run.waiting' then
      run.status := ('waiting_' || (event.payload ->> 'for'))::public.agent_run_status;
      run.waiting_for := event.payload ->> 'text';
    when 'run.paused' then
      run.status := 'paused';
      run.waiting_for := event.payload ->> 'reason';
      run.paused_until := event.created_at + make_interval(secs => (event.payload ->> 'seconds')::integer);
    when 'run.resumed' then
      run.status := 'running';
      run.waiting_for := null;
      run.paused_until := null;
    when 'run.silent' then
      null;
    when 'run.requeued' then
      run := app.take_back(run, event.payload ->> 'reason');
    when 'run.interrupt_requested' then
      run.interrupt_requested := true;
      run.interrupt_reason := event.payload ->> 'reason';
    when 'run.finished' then
      run := jsonb_populate_record(run, event.payload);
      run.waiting_for := null;
      run.paused_until := null;
      run.ended_at := event.created_at;
      run.duration_ms := extract(epoch from event.created_at - run.started_at) * 1000;
  end case;
  run.updated_at := event.created_at;
  run.version := event.version;
  return run;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_own_run(ref text, actor app.actor)
 RETURNS public.agent_runs
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_run public.agent_runs;
begin
  if ref is null then
    return app.own_active_run(actor);
  end if;
  select r.* into v_run from public.agent_runs r
    join public.agents a on a.tenant_id = r.tenant_id and a.id = r.agent_id
    where r.tenant_id = actor.tenant_id and r.id = app.as_uuid(ref) and a.user_id = actor.user_id;
  if v_run.id is null then
    perform app.fail('not_found', format('There is no run %s of an agent of yours.', left(ref, 80)),
      jsonb_build_object('field', 'run'), 'list_runs shows the ids.');
  end if;
  return v_run;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.find_run(ref text, actor app.actor)
 RETURNS public.agent_runs
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_run public.agent_runs;
begin
  select * into v_run from public.agent_runs r where r.tenant_id = actor.tenant_id and r.id = app.as_uuid(ref);
  if not found then
    perform app.fail('not_found', format('There is no run %s in this workspace.', left(ref, 80)), null,
      'list_runs shows the ids.');
  end if;
  return v_run;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.finish_run(run public.agent_runs)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if run.ended_at is not null then
    perform app.keep_screen(run);
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.follow_runs(event public.events)
 RETURNS jsonb[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_run public.agent_runs;
  v_token bigint;
begin
  if event.event_type not in ('run.finished', 'run.requeued') then
    return '{}';
  end if;
  select * into v_run from public.agent_runs r
    where r.tenant_id = event.tenant_id and r.id = app.stream_id(event.stream);
  if v_run.task_id is null or v_run.attempt = 0 then
    return '{}';
  end if;
  -- One that went back to the queue has no token any more.
  v_token := coalesce(v_run.lock_token, (
    select (e.payload ->> 'lock_token')::bigint from public.events e
    where e.tenant_id = event.tenant_id and e.stream = event.stream and e.event_type = 'run.claimed'
    order by e.version desc limit 1));
  perform from public.tasks t
    where t.tenant_id = event.tenant_id and t.id = v_run.task_id for no key update;
  return array(
    select jsonb_build_object('stream', 'task:' || t.id, 'type', 'task.released', 'data', jsonb_build_object(
      'outcome', 'paused', 'reason', left(format('The run of %s %s%s', v_run.agent_name,
        case when v_run.ended_at is null then 'went back to the queue' else 'ended as ' || v_run.end_reason end,
        coalesce(': ' || v_run.error, '.')), 4000)))
    from public.tasks t
    where t.tenant_id = event.tenant_id and t.id = v_run.task_id and t.status = 'in_progress'
      and (t.lock_token = v_token or exists (
        select from public.agents a
        where a.tenant_id = t.tenant_id and a.id = v_run.agent_id
          and (a.name, a.user_id) = (t.locked_by, t.locked_by_user))));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.guard_run(run public.agent_runs, event public.events, actor app.actor)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if run.ended_at is not null then
    perform app.fail('illegal_transition', format('The run %s is %s.', run.id, run.status), null,
      'Send the command again if it is still needed.');
  elsif event.event_type = 'run.interrupt_requested' and app.is_chat(run) then
    perform app.fail('illegal_transition', format('Nothing reaches the run %s: its program only reports.', run.id),
      null, 'End it where it works.');
  elsif event.event_type = 'run.interrupt_requested' and event.causation_id is null
      and not exists (
        select from public.agents a
        where a.tenant_id = run.tenant_id and a.id = run.agent_id and a.user_id = actor.user_id) then
    perform app.check_owner(run.user_id, actor, format('The run %s', run.id));
  elsif event.event_type = 'run.claimed' and run.status <> 'queued'
      or event.event_type not in ('run.queued', 'run.opened', 'run.claimed', 'run.finished', 'run.interrupt_requested')
        and not app.is_active(run) then
    perform app.fail('illegal_transition', format('The run %s is %s.', run.id, run.status), null,
      'A run is claimed from the queue, and goes on while its agent holds it.');
  elsif event.event_type = 'run.waiting' and event.payload ? 'ask' then
    -- A review of a task is asked for by submitting it alone.
    perform app.check_form('ask', event.payload -> 'ask' ->> 'kind' in ('permission', 'question')
      and app.as_uuid(event.payload -> 'ask' ->> 'id') is not null, 'a permission or a question, with an id');
    if exists (
        select from public.approvals a
        where a.tenant_id = run.tenant_id and a.id = app.as_uuid(event.payload -> 'ask' ->> 'id')
          and a.run_id is distinct from run.id) then
      perform app.fail('already_exists', 'There is another question with this id.',
        jsonb_build_object('field', 'ask'), 'Give each question an id of its own.');
    end if;
  elsif event.event_type = 'run.finished'
      and event.payload ->> 'status' <> app.state_of_end(event.payload ->> 'end_reason') then
    perform app.fail('invalid_input', format('A run that ends as %s is %s, not %s.', event.payload ->> 'end_reason',
        app.state_of_end(event.payload ->> 'end_reason'), event.payload ->> 'status'),
      jsonb_build_object('field', 'status'), 'Report the state that belongs to the end_reason.');
  end if;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.interrupted_end(run public.agent_runs)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select jsonb_build_object('status', 'cancelled', 'end_reason', 'interrupted',
    'error', coalesce(run.interrupt_reason, 'It was interrupted.'))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_active(run public.agent_runs)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select run.status in ('running', 'waiting_input', 'waiting_approval', 'paused')
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.is_chat(run public.agent_runs)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select run.mode = 'chat' and run.command_id is null
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.limited_until(agent public.agents)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$
  select max(r.paused_until)
  from public.agent_runs r
  join public.agents a on a.tenant_id = r.tenant_id and a.id = r.agent_id
  where r.tenant_id = agent.tenant_id and r.status = 'paused' and r.ended_at is null
    and a.user_id = agent.user_id and app.account_of(a) = app.account_of(agent)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.own_active_run(actor app.actor)
 RETURNS public.agent_runs
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_runs public.agent_runs[] := array(
    select r from public.agents a
    join public.agent_runs r on r.tenant_id = a.tenant_id and r.agent_id = a.id
    where a.tenant_id = actor.tenant_id and a.user_id = actor.user_id and lower(a.name) = lower(actor.agent)
      and app.is_active(r)
    limit 2);
begin
  return case when cardinality(v_runs) = 1 then v_runs[1] end;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.queue_of(agent public.agents, most integer)
 RETURNS SETOF public.agent_runs
 LANGUAGE sql
 STABLE
AS $function$
  (
    select r.* from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued'
      and r.delivery_mode <> 'turn' and r.delivery_mode = 'interrupt'
    order by r.priority desc, r.created_at, r.id limit most)
  union all
  (
    select r.* from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued'
      and r.delivery_mode <> 'interrupt'
    order by r.priority desc, r.created_at, r.id limit most)
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.reach_of(agent public.agents)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case agent.driver
    when 'pull' then 'asks by itself: nothing reaches it before'
    when 'otlp' then 'only reports: nothing reaches it'
    when 'hook' then 'hooks only: delivered at the next tool border; '
      || case when agent.config -> 'wakes' = 'true' then 'woken when idle' else 'cannot be woken' end end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.run_brief(run public.agent_runs, agent public.agents, at timestamp with time zone)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', run.id,
    'agent', coalesce(agent.name, run.agent_name),
    'command', run.command_id,
    'task', (select t.ref from public.tasks t where t.tenant_id = run.tenant_id and t.id = run.task_id),
    'status', run.status,
    'why', case when run.status = 'queued' then app.why_waiting(run, agent, at)
      when app.is_active(run) and not coalesce((app.run_lease(run)).expires_at > at, false)
        then format('%s is not heard of any more', run.agent_name)
      else run.waiting_for end,
    'mode', run.delivery_mode,
    'priority', run.priority,
    'attempt', nullif(run.attempt, 0),
    'delivery_path', run.delivery_path,
    'delivered_at', run.delivered_at,
    'acked_at', run.acked_at,
    'paused_until', run.paused_until,
    'interrupt_requested', nullif(run.interrupt_requested, false),
    'interrupt_reason', run.interrupt_reason,
    'end_reason', run.end_reason,
    'error', run.error,
    'result', run.result,
    'tokens_in', run.tokens_in,
    'tokens_out', run.tokens_out,
    'subagents', case when app.is_active(run) then run.subagents end,
    'started_at', run.started_at,
    'ended_at', run.ended_at,
    'duration_ms', run.duration_ms,
    'ended_by', case when run.metrics ->> 'ended_by' in ('itself', 'interrupt', 'term', 'kill', 'stop')
      then run.metrics ->> 'ended_by' end,
    'not_recorded', nullif(app.count_in(run.metrics, 'not_recorded'), 0),
    'created_at', run.created_at));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.run_full(run public.agent_runs)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_agent public.agents;
begin
  select * into v_agent from public.agents a where a.tenant_id = run.tenant_id and a.id = run.agent_id;
  return app.run_brief(run, v_agent, app.now()) || jsonb_build_object('version', run.version);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.run_hold(run public.agent_runs, agent public.agents, at timestamp with time zone)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_project public.projects;
begin
  if run.expires_at <= at then
    return 'it has expired';
  elsif not app.takes_commands_of(agent, run.user_id) then
    return format('%s takes commands of its owner alone', agent.name);
  elsif run.project_id is null then
    return null;
  end if;
  select * into v_project from public.projects p where p.tenant_id = run.tenant_id and p.id = run.project_id;
  if v_project.archived_at is not null then
    return format('the project %s is archived', v_project.slug);
  end if;
  return (
    select app.task_hold(t, v_project.rules) from public.tasks t
    where t.tenant_id = run.tenant_id and t.id = run.task_id);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.run_lease(run public.agent_runs)
 RETURNS public.leases
 LANGUAGE sql
 STABLE
AS $function$
  select l.*
  from public.leases l
  where l.tenant_id = run.tenant_id
    and (l.kind, l.id) in (('run', run.id), ('task', run.task_id))
    and l.token = run.lock_token
  order by l.expires_at desc limit 1
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.runs_before(run public.agent_runs, joining boolean, most integer)
 RETURNS integer
 LANGUAGE sql
 STABLE
AS $function$
  select count(*)::integer
  from (
    (
      select from public.agent_runs r
      where r.tenant_id = run.tenant_id and r.agent_id = run.agent_id and r.status = 'queued'
        and r.delivery_mode <> 'turn' and r.delivery_mode = 'interrupt' and run.delivery_mode <> 'interrupt'
      limit most)
    union all
    (
      select from public.agent_runs r
      where r.tenant_id = run.tenant_id and r.agent_id = run.agent_id and r.status = 'queued'
        and (r.delivery_mode = 'interrupt') = (run.delivery_mode = 'interrupt')
        and (not joining or r.delivery_mode = 'steer')
        and r.priority >= run.priority
        and (r.priority > run.priority or (r.created_at, r.id) < (run.created_at, run.id))
      limit most)
    limit most) b
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.state_of_end(end_reason text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case
    when end_reason = 'completed' then 'completed'
    when end_reason in ('interrupted', 'cancelled', 'emergency_stop', 'expired') then 'cancelled'
    when end_reason = 'time_limit' then 'timed_out'
    else 'failed' end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.stop_reason(agent public.agents)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if agent.paused_at is not null then
    return format('%s is stopped by %s%s', agent.name, agent.paused_by, coalesce(': ' || agent.pause_reason, ''));
  end if;
  return app.stop_reason(agent.tenant_id);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.stop_reason(tenant_id uuid)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_stop jsonb := (select c.value from public.system_config c where c.key = 'emergency_stop');
begin
  if not (select t.agent_enabled from public.tenants t where t.id = stop_reason.tenant_id) then
    return concat_ws(': ', 'all agents of the workspace are stopped', (
      select t.agent_settings ->> 'stop_reason' from public.tenants t where t.id = stop_reason.tenant_id));
  elsif v_stop ->> 'on' = 'true' then
    return concat_ws(': ', 'all agents are stopped', v_stop ->> 'reason');
  end if;
  return null;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.take_back(run public.agent_runs, reason text)
 RETURNS public.agent_runs
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  run.status := 'queued';
  run.error := reason;
  run.lock_token := null;
  run.delivery_path := null;
  run.delivered_at := null;
  run.acked_at := null;
  run.waiting_for := null;
  run.paused_until := null;
  return run;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.task_hold(task public.tasks, rules jsonb)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_missing text[];
begin
  if not app.is_claimable(task, app.lease_expires_at(task)) then
    return format('task %s %s', task.ref, case
      when task.status = 'in_progress' then 'is held by ' || task.locked_by
      when task.status = 'pending' then 'waits for other tasks'
      else 'is ' || task.status end);
  elsif rules ? 'gates' then
    v_missing := app.unmet_gates(task, rules, 'claim', null);
  end if;
  return case when cardinality(v_missing) > 0
    then format('task %s needs %s', task.ref, array_to_string(v_missing, '; ')) end;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.when_taken(run public.agent_runs, agent public.agents, at timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select case
    when agent.driver = 'pull' then format('%s takes it when it asks for the next', agent.name)
    when agent.driver <> 'hook' or agent.config -> 'wakes' = 'true' and agent.activity_state = 'idle'
        and agent.seen_at > at - app.get_beat_patience()
      then format('%s takes it next', agent.name)
    when app.effective_mode(agent, run.delivery_mode) = 'steer'
      then format('%s takes it at its next tool border, or at the end of its turn', agent.name)
    else format('%s takes it at the end of its turn', agent.name) end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.why_waiting(run public.agent_runs, agent public.agents, at timestamp with time zone)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_reason text := coalesce(app.run_hold(run, agent, at),
    app.agent_hold(agent, app.effective_mode(agent, run.delivery_mode) <> 'turn', at));
  v_before integer;
begin
  if agent.id is null then
    return format('%s is not of this workspace', run.agent_name);
  elsif v_reason is null then
    v_before := app.runs_before(run, app.effective_mode(agent, run.delivery_mode) = 'steer', 100);
    v_reason := case when v_before > 0 then format('%s of the queue come%s first', case when v_before = 100
        then '100 or more' else v_before::text end, case when v_before = 1 then 's' else '' end)
      else app.when_taken(run, agent, at) end;
  end if;
  return concat_ws('; ', v_reason, app.degraded(agent, run.delivery_mode));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_queue(agent text DEFAULT NULL::text, page_size integer DEFAULT 50, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_agent uuid := case when agent is not null then (app.find_agent(agent, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_now timestamptz := app.now();
begin
  return jsonb_build_object('runs', coalesce((
    select jsonb_agg(q.shown order by q.name, q.place, q.priority desc, q.created_at)
    from (
      select a.name, p.place, r.priority, r.created_at, app.run_brief(r, a, v_now) as shown
      from public.agents a
      cross join lateral (
        (
          select * from public.agent_runs x
          where x.tenant_id = a.tenant_id and x.agent_id = a.id and app.is_active(x)
          limit v_size)
        union all
        (
          select * from app.queue_of(a, v_size))) r
      cross join lateral (
        select case when r.status <> 'queued' then 0 when r.delivery_mode = 'interrupt' then 1 else 2 end as place) p
      where a.tenant_id = v_actor.tenant_id and a.retired_at is null and (v_agent is null or a.id = v_agent)
      order by a.name, p.place, r.priority desc, r.created_at limit v_size) q), '[]'));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_runs(agent text DEFAULT NULL::text, open_only boolean DEFAULT false, cursor text DEFAULT NULL::text, page_size integer DEFAULT 20, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_agent uuid := case when agent is not null then (app.find_agent_of_any_time(agent, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'runs', v_agent, open_only);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_now timestamptz := app.now();
begin
  return app.build_page('runs', array(
    select app.run_brief(r, a, v_now)
    from public.agent_runs r
    left join public.agents a on a.tenant_id = r.tenant_id and a.id = r.agent_id
    where r.tenant_id = v_actor.tenant_id
      and (v_agent is null or r.agent_id = v_agent)
      and (not open_only or r.ended_at is null)
      and (v_after is null or (r.created_at, r.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by r.created_at desc, r.id desc limit v_size + 1), v_size, v_question, '{id}', '{created_at}');
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.list_queue(text,integer,jsonb) to authenticated;
grant execute on function public.list_queue(text,integer,jsonb) to cairn_server;
grant execute on function public.list_queue(text,integer,jsonb) to service_role;
grant execute on function public.list_runs(text,boolean,text,integer,jsonb) to authenticated;
grant execute on function public.list_runs(text,boolean,text,integer,jsonb) to cairn_server;
grant execute on function public.list_runs(text,boolean,text,integer,jsonb) to service_role;
