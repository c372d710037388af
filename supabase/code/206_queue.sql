-- The queue: what a runner says and asks: that its agent is there, what comes next, what became of it.

-- Refuses a runner whose token names another agent. Raises forbidden.
create or replace function app.check_drives(agent text, actor app.actor)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if lower(agent) is distinct from lower(actor.drives) and actor.drives is not null then
    perform app.fail('forbidden', format('This token drives the agent %s alone.', actor.drives), null,
      format('Start the runner with --name %s, or make another token: cairn auth pat create --agent NAME.',
        app.shell_word(actor.drives)));
  end if;
end
$$;

-- Locks an agent for its runner, which shows that it is: of two runners under one name the second is refused. Raises
-- lock_lost, not_found.
create or replace function app.lock_agent(ref text, token bigint, actor app.actor)
  returns public.agents
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent public.agents := app.find_agent(ref, actor);
begin
  if v_agent.user_id <> actor.user_id then
    perform app.fail('forbidden', format('The agent %s is another person''s.', v_agent.name), null,
      'Register one of your own, under another name.');
  end if;
  perform app.check_drives(v_agent.name, actor);
  select * into v_agent from public.agents a
    where a.tenant_id = v_agent.tenant_id and a.id = v_agent.id for no key update;
  if v_agent.retired_at is not null or not exists (
      select from public.leases l
      where l.tenant_id = v_agent.tenant_id and l.kind = 'agent' and l.id = v_agent.id
        and l.token = lock_agent.token) then
    perform app.fail('lock_lost', format('Another runner is %s now.', v_agent.name), null,
      'Stop this one, or start it under another name with --name.');
  end if;
  return v_agent;
end
$$;

-- register_agent(agent {name, type, driver, host_machine?, config?, project?}, token?) -> {agent, token}: a runner says
-- what it drives. One that comes back within its lease passes the token that it had. Raises lock_held while another is
-- there, already_exists, rate_limited.
create or replace function public.register_agent(agent jsonb, token bigint default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_agent public.agents;
  v_wanted public.agents;
  v_lease public.leases;
  v_change jsonb;
  v_goes_on boolean;
  v_now timestamptz := app.now();
begin
  perform app.check_form('agent', jsonb_typeof(agent) = 'object' and jsonb_typeof(agent -> 'name') = 'string',
    'an object with a name');
  perform app.check_drives(agent ->> 'name', v_actor);
  v_agent := app.lock_agent_named(agent ->> 'name', v_actor);
  v_change := agent - '{name,project}'::text[];
  v_wanted := v_agent;
  v_wanted.config := coalesce(agent -> 'config', v_agent.config);
  perform app.check_agents_max(v_wanted, v_actor, v_now);
  if v_agent.id is null then
    v_agent.id := app.uuid_v7();
    -- Whoever is limited to a project works for it alone.
    perform app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'agent:' || v_agent.id, 'verb', true,
      'type', 'agent.registered', 'data',
      agent || jsonb_strip_nulls(jsonb_build_object('project', v_actor.project_id)))), v_actor);
  elsif v_agent.user_id <> v_actor.user_id then
    perform app.fail('already_exists', format('The agent %s is another person''s.', v_agent.name),
      jsonb_build_object('field', 'name'), 'Choose another name with --name.');
  elsif not to_jsonb(v_agent) @> v_change then
    perform app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'agent:' || v_agent.id, 'verb', true,
      'type', 'agent.configured', 'data', v_change)), v_actor);
  end if;
  v_lease.tenant_id := v_actor.tenant_id;
  v_lease.kind := 'agent';
  v_lease.id := v_agent.id;
  v_lease.project_id := (
    select a.project_id from public.agents a where a.tenant_id = v_actor.tenant_id and a.id = v_agent.id);
  v_lease.holder := app.actor_name(v_actor);
  v_lease.ttl_seconds := 45;
  v_goes_on := exists (
    select from public.leases l
    where l.tenant_id = v_actor.tenant_id and l.kind = 'agent' and l.id = v_agent.id
      and l.token = register_agent.token);
  v_lease := app.take_lease(v_lease, v_now, v_goes_on);
  if v_lease.token is null then
    perform app.fail('lock_held', format('%s is already driven by another runner.', agent ->> 'name'), null,
      'Choose another name with --name, or end that runner: its name is free 45 seconds after its last sign.');
  end if;
  perform app.ensure_settling(v_actor.tenant_id, v_now);
  perform app.enter_connect(v_agent, v_goes_on, v_actor);
  update public.agents a
    set status = 'online', activity_state = 'idle', connected_at = v_now, seen_at = v_now, disconnected_at = null
    where a.tenant_id = v_actor.tenant_id and a.id = v_agent.id
    returning * into v_agent;
  return jsonb_build_object('agent', app.agent_full(v_agent), 'token', v_lease.token);
end
$$;

-- Renews the lease of a run for its runner, and of its task while the agent holds that.
create or replace function app.extend_run(run public.agent_runs, token bigint, user_id uuid, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_until timestamptz;
begin
  if run.ended_at is not null or run.lock_token is distinct from token then
    return;
  end if;
  if run.task_id is not null then
    v_until := app.extend_lease(run.tenant_id, 'task', run.task_id, token, at, user_id);
  end if;
  if coalesce(v_until <= at, true) then
    v_until := app.extend_lease(run.tenant_id, 'run', run.id, token, at, user_id);
  end if;
  -- The agent has given the task back, and the run goes on to its end.
  if v_until is null then
    perform app.take_lease(app.new_run_lease(run), at);
  end if;
end
$$;

-- Says what has become of a run that its runner believes to have: mine, with answers to what it asked, interrupt with
-- the reason, or lost.
create or replace function app.judge_held(agent public.agents, held jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run public.agent_runs;
  v_answers jsonb;
  v_holder text;
begin
  select * into v_run from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.id = app.as_uuid(held ->> 'run');
  if v_run.ended_at is not null or v_run.lock_token is distinct from (held ->> 'lock_token')::bigint then
    return '{"state": "lost"}';
  elsif v_run.interrupt_requested then
    return jsonb_strip_nulls(jsonb_build_object('state', 'interrupt', 'reason', v_run.interrupt_reason));
  end if;
  v_answers := case when held ? 'asks' then app.answers_to(v_run, held -> 'asks', app.now()) end;
  if v_answers is not null then
    return jsonb_build_object('state', 'mine', 'answers', v_answers);
  end if;
  select t.locked_by into v_holder from public.tasks t
    where t.tenant_id = v_run.tenant_id and t.id = v_run.task_id and t.status = 'in_progress'
      and t.lock_token <> v_run.lock_token
      -- The agent may give it back and claim it anew.
      and (t.locked_by, t.locked_by_user) is distinct from (agent.name, agent.user_id);
  return case when v_holder is null then '{"state": "mine"}'::jsonb
    else jsonb_build_object('state', 'interrupt', 'reason', format('The task was taken over by %s.', v_holder)) end;
end
$$;

-- What a runner must know: whether all is stopped, which of its runs are to end or are lost, whether a claim would do
-- something.
create or replace function app.control_of(agent public.agents, held jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'stopped', app.stop_reason(agent),
    'runs', coalesce((
      select jsonb_agg(jsonb_build_object('run', h.value -> 'run') || app.judge_held(agent, h.value) order by h.at)
      from jsonb_array_elements(held) with ordinality h (value, at)), '[]'),
    'queued', app.awaits_claim(agent, held, app.now())));
end
$$;

-- Tells whether a claim would start a run, or settle one that its runner does not have. An agent without a runner asks
-- whether anything waits.
create or replace function app.awaits_claim(agent public.agents, held jsonb, at timestamptz)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_holding constant uuid[] := array(select app.as_uuid(h ->> 'run') from jsonb_array_elements(held) h);
begin
  if app.has_no_runner(agent) then
    return exists (
      select from app.first_of_queue(agent, false) r where app.run_hold(r, agent, at) is null);
  end if;
  -- What is left of another runner is settled whatever holds the agent: it may be what does.
  return exists (select from app.overdue_runs(agent, v_holding, at))
    or app.agent_hold(agent, true, at) is null and exists (
      select from app.first_of_queue(agent, app.agent_hold(agent, false, at) is not null) r
      where r.id <> all (v_holding) and app.run_hold(r, agent, at) is null);
end
$$;

-- The lease of a run that holds no task, under the token of its claim.
create or replace function app.new_run_lease(run public.agent_runs)
  returns public.leases
  language plpgsql
  immutable
as $$
declare
  v_lease public.leases;
begin
  v_lease.tenant_id := run.tenant_id;
  v_lease.kind := 'run';
  v_lease.id := run.id;
  v_lease.project_id := run.project_id;
  v_lease.token := run.lock_token;
  v_lease.holder := run.agent_id;
  v_lease.ttl_seconds := 120;
  return v_lease;
end
$$;

create or replace function app.check_beat(beat jsonb)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.check_form('beat', jsonb_typeof(beat) = 'object', 'an object');
  perform app.check_form('status', not beat ? 'status' or beat ->> 'status' in ('online', 'error'), 'online or error');
  perform app.check_form('health', not beat ? 'health' or app.validate_field(beat -> 'health', 'object', 4096, null),
    'an object of at most 4096 bytes');
  perform app.check_form('runs', not beat ? 'runs' or jsonb_typeof(beat -> 'runs') = 'array'
    and jsonb_array_length(case when jsonb_typeof(beat -> 'runs') = 'array' then beat -> 'runs' end) <= 100
    and not exists (
      select from jsonb_array_elements(case when jsonb_typeof(beat -> 'runs') = 'array' then beat -> 'runs' end) r
      where (jsonb_typeof(r) = 'object' and app.as_uuid(r ->> 'run') is not null
        and r ->> 'lock_token' ~ '^[0-9]{1,18}$'
        and coalesce(r ->> 'tokens_in', '0') ~ '^[0-9]{1,15}$'
        and coalesce(r ->> 'tokens_out', '0') ~ '^[0-9]{1,15}$'
        and (not r ? 'asks' or app.validate_field(r -> 'asks', 'text[]', 100, null))
        and (not r ? 'subagents' or app.validate_field(r -> 'subagents', 'text[]', 20, null, 120))) is not true),
    'a list of at most 100 {run, lock_token, tokens_in?, tokens_out?, asks?, subagents?}');
end
$$;

-- beat_agent(agent, token, beat {status?, health?, runs, leaving?}) -> {stopped?, runs, queued}: a sign of life, which
-- renews the agent and the runs that it names [{run, lock_token, tokens_in?, tokens_out?, asks?, subagents?}]. Answers
-- with what the runner must know, of each run too [{run, state, reason?, answers?}]. Raises lock_lost.
create or replace function public.beat_agent(
  agent text,
  token bigint,
  beat jsonb default '{}',
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_agent public.agents := app.lock_agent(agent, token, v_actor);
  v_now timestamptz := app.now();
  v_held jsonb := coalesce(beat -> 'runs', '[]');
  v_sent jsonb;
  v_run public.agent_runs;
begin
  perform app.check_beat(beat);
  perform app.extend_lease(v_agent.tenant_id, 'agent', v_agent.id, token, v_now, v_actor.user_id);
  for v_sent in select r from jsonb_array_elements(v_held) r order by r ->> 'run' loop
    update public.agent_runs r
      set tokens_in = greatest(r.tokens_in, (v_sent ->> 'tokens_in')::bigint),
        tokens_out = greatest(r.tokens_out, (v_sent ->> 'tokens_out')::bigint),
        subagents = v_sent -> 'subagents'
      where r.tenant_id = v_agent.tenant_id and r.agent_id = v_agent.id and r.id = app.as_uuid(v_sent ->> 'run')
        and r.lock_token = (v_sent ->> 'lock_token')::bigint
      returning * into v_run;
    if found then
      perform app.extend_run(v_run, v_run.lock_token, v_actor.user_id, v_now);
    end if;
  end loop;
  if beat -> 'leaving' = 'true' then
    perform app.enter_disconnect(v_agent, 'goodbye', v_actor);
  else
    perform app.enter_connect(v_agent, true, v_actor);
  end if;
  update public.agents a
    set status = coalesce(beat ->> 'status', 'online'), seen_at = v_now,
      disconnected_at = case when beat -> 'leaving' = 'true' then v_now end,
      activity_state = case when v_held <> '[]' then 'processing' else 'idle' end,
      health_metrics = coalesce(beat -> 'health', a.health_metrics)
    where a.tenant_id = v_agent.tenant_id and a.id = v_agent.id;
  if beat -> 'leaving' = 'true' then
    perform app.release_lease(v_agent.tenant_id, 'agent', v_agent.id, token, v_now);
  end if;
  perform app.expire_approvals(v_actor, array(
    select app.as_uuid(r ->> 'run') from jsonb_array_elements(v_held) r), v_now);
  return app.control_of(v_agent, v_held);
end
$$;

-- get_control(agent, held [{run, lock_token}]) -> the answer of beat_agent, without a sign of life: whoever waits for a
-- runner asks at each hint, so that an interrupt and a stop arrive at once. Raises not_found.
create or replace function public.get_control(agent text, held jsonb default '[]', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_agent public.agents := app.find_agent(agent, v_actor);
begin
  perform app.check_drives(v_agent.name, v_actor);
  perform app.check_beat(jsonb_build_object('runs', held));
  return app.control_of(v_agent, held);
end
$$;

-- Requests what becomes of runs that their runner does not have any more, and of those that waited too long: one that
-- was to be interrupted is; one whose text has reached its agent ends as lost, unless its command may be repeated;
-- another goes back to the queue, three times at most.
create or replace function app.settle_lost_runs(agent public.agents, holding uuid[], at timestamptz)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- First the commands, as everywhere.
  perform from public.commands c
    where c.tenant_id = agent.tenant_id and c.id in (
      select r.command_id from app.overdue_runs(agent, holding, at) r)
    order by c.id for no key update;
  return (
    select coalesce(jsonb_agg(jsonb_build_object('stream', 'run:' || r.id, 'verb', true) || case
      when r.status = 'queued'
        then '{"type": "run.finished", "data": {"status": "cancelled", "end_reason": "expired"}}'::jsonb
      when r.interrupt_requested then jsonb_build_object('type', 'run.finished', 'data', app.interrupted_end(r))
      when r.attempt < r.attempts_max and (r.delivered_at is null or c.repeatable)
        then '{"type": "run.requeued", "data": {"reason": "Its runner ended."}}'
      else '{"type": "run.finished", "data": {"status": "failed", "end_reason": "lost",
        "error": "Its runner ended before it did."}}' end order by r.id), '[]')
    from app.overdue_runs(agent, holding, at) r
    left join public.commands c on c.tenant_id = r.tenant_id and c.id = r.command_id);
end
$$;

-- Lists runs of an agent that are not held any more, or have waited too long: at most 50 of each.
create or replace function app.overdue_runs(agent public.agents, holding uuid[], at timestamptz)
  returns setof public.agent_runs
  language sql
  stable
as $$
  (
    select r.* from public.agent_runs r
    left join public.projects p on p.tenant_id = r.tenant_id and p.id = r.project_id
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id
      and app.is_active(r)
      and not app.is_chat(r)
      and r.id <> all (holding)
      and p.archived_at is null
    order by r.id limit 50)
  union all
  (
    select r.* from public.agent_runs r
    left join public.projects p on p.tenant_id = r.tenant_id and p.id = r.project_id
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued' and r.expires_at <= at
      and p.archived_at is null
    order by r.expires_at limit 50)
$$;

-- claim_run(agent, token, holding [run]) -> {run, command, lock_token, task?}, or {nothing: why}: the next run of an
-- agent, for its runner, which names the runs that it has: others of this agent are lost. What interrupts comes first,
-- then the highest priority, then the oldest. Raises lock_lost.
create or replace function public.claim_run(
  agent text,
  token bigint,
  holding jsonb default '[]',
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_agent public.agents := app.lock_agent(agent, token, v_actor);
  v_now timestamptz := app.now();
  v_holding uuid[];
  v_events jsonb;
  v_run public.agent_runs;
begin
  perform app.check_form('holding', jsonb_typeof(holding) = 'array', 'a list of runs');
  v_holding := array(select app.as_uuid(h) from jsonb_array_elements_text(holding) h);
  v_events := app.settle_lost_runs(v_agent, v_holding, v_now);
  if v_events <> '[]' then
    perform app.append_checked(v_events, v_actor);
  end if;
  v_run := app.next_run(v_agent, v_now, holding => v_holding);
  if v_run.id is null then
    return jsonb_build_object('nothing', coalesce(app.stop_reason(v_agent), 'nothing waits for it'));
  end if;
  return app.start_run(v_run, v_agent, v_actor, v_now);
end
$$;

-- Lists the first of an agent's queue, those that interrupt before all others; `joining` only those that need not wait
-- for the end of a turn. Left out are those whose task is held or not ready, and those of people from whom the agent
-- takes none: however many they are, what comes after them is seen. A gate is looked at later, so that two hundred that
-- wait for one keep the rest back.
create or replace function app.first_of_queue(agent public.agents, joining boolean)
  returns setof public.agent_runs
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now constant timestamptz := app.now();
begin
  -- Spelled out in all: a function would be called for each run, and take ten times as long. One query for all, as a
  -- union of which one part is never begun, has no index for its order: of 10,000 runs it sorts all, and takes thirty
  -- times as long. `<> 'turn'` names the index of the few that are no turns.
  return query select r.* from public.agent_runs r
    where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued'
      and r.delivery_mode <> 'turn' and r.delivery_mode = 'interrupt'
      and (not joining or app.effective_mode(agent, r.delivery_mode) <> 'turn')
      and app.takes_commands_of(agent, r.user_id)
      and (r.task_id is null or exists (
        select from public.tasks t
        where t.tenant_id = r.tenant_id and t.id = r.task_id
          and (app.is_ready(t) = 1 or t.status = 'in_progress' and not exists (
            select from public.leases l
            where l.tenant_id = t.tenant_id and l.kind = 'task' and l.id = t.id and l.token = t.lock_token
              and l.expires_at > v_now))))
    order by r.priority desc, r.created_at, r.id limit 200;
  if joining then
    return query select r.* from public.agent_runs r
      where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued'
        and r.delivery_mode <> 'turn' and r.delivery_mode <> 'interrupt'
        and app.effective_mode(agent, r.delivery_mode) <> 'turn'
        and app.takes_commands_of(agent, r.user_id)
        and (r.task_id is null or exists (
          select from public.tasks t
          where t.tenant_id = r.tenant_id and t.id = r.task_id
            and (app.is_ready(t) = 1 or t.status = 'in_progress' and not exists (
              select from public.leases l
              where l.tenant_id = t.tenant_id and l.kind = 'task' and l.id = t.id and l.token = t.lock_token
                and l.expires_at > v_now))))
      order by r.priority desc, r.created_at, r.id limit 200;
  else
    return query select r.* from public.agent_runs r
      where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued'
        and r.delivery_mode <> 'interrupt'
        and app.takes_commands_of(agent, r.user_id)
        and (r.task_id is null or exists (
          select from public.tasks t
          where t.tenant_id = r.tenant_id and t.id = r.task_id
            and (app.is_ready(t) = 1 or t.status = 'in_progress' and not exists (
              select from public.leases l
              where l.tenant_id = t.tenant_id and l.kind = 'task' and l.id = t.id and l.token = t.lock_token
                and l.expires_at > v_now))))
      order by r.priority desc, r.created_at, r.id limit 200;
  end if;
end
$$;

-- Finds and locks the next run of an agent whose row is locked: of two claims the second sees the first. What went back
-- to the queue while its runner still has it is left out: two turns would be of one run.
create or replace function app.next_run(
  agent public.agents,
  at timestamptz,
  joining boolean default false,
  holding uuid[] default '{}'
)
  returns public.agent_runs
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run public.agent_runs;
begin
  if app.agent_hold(agent, true, at) is not null then
    return null;
  end if;
  for v_run in select * from app.first_of_queue(agent, joining or app.agent_hold(agent, false, at) is not null) loop
    continue when v_run.id = any (holding) or app.run_hold(v_run, agent, at) is not null;
    perform from public.commands c
      where c.tenant_id = v_run.tenant_id and c.id = v_run.command_id for no key update;
    select * into v_run from public.agent_runs r
      where r.tenant_id = v_run.tenant_id and r.id = v_run.id and r.status = 'queued' for no key update;
    continue when not found;
    -- Another may have been quicker to its task.
    perform from public.tasks t
      where t.tenant_id = v_run.tenant_id and t.id = v_run.task_id for no key update;
    continue when app.run_hold(v_run, agent, at) is not null;
    return v_run;
  end loop;
  return null;
end
$$;

-- Claims a run, and its task with it; answers with all that the runner needs.
create or replace function app.start_run(
  run public.agent_runs,
  agent public.agents,
  actor app.actor,
  at timestamptz
)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_answer jsonb;
  v_token bigint;
  v_lease public.leases;
  -- Without a runner nobody renews it every ten seconds.
  v_seconds constant integer := case when app.has_no_runner(agent) then 3600 else 120 end;
begin
  actor.agent := agent.name;
  if run.task_id is not null then
    v_answer := app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'task:' || run.task_id,
      'type', 'task.claimed', 'data', jsonb_build_object('ttl_seconds', v_seconds))), actor);
    v_token := (v_answer -> 'events' -> 0 ->> 'version')::bigint;
  end if;
  v_answer := app.append_checked(jsonb_build_array(jsonb_build_object('stream', 'run:' || run.id, 'verb', true,
    'type', 'run.claimed', 'data', jsonb_strip_nulls(jsonb_build_object('lock_token', v_token)))), actor);
  select * into run from public.agent_runs r where r.tenant_id = run.tenant_id and r.id = run.id;
  if v_token is null then
    v_lease := app.new_run_lease(run);
    v_lease.ttl_seconds := v_seconds;
    perform app.take_lease(v_lease, at, true);
  end if;
  return app.describe_started(run, agent);
end
$$;

-- All that whoever delivers a run needs.
create or replace function app.describe_started(run public.agent_runs, agent public.agents)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_command public.commands;
begin
  select * into v_command from public.commands c where c.tenant_id = run.tenant_id and c.id = run.command_id;
  return jsonb_strip_nulls(jsonb_build_object(
    'run', app.run_full(run),
    'lock_token', run.lock_token,
    'deliver', app.effective_mode(agent, run.delivery_mode),
    'keeps_content', nullif(app.keeps_content(run), false),
    'command', jsonb_build_object('id', v_command.id, 'content', v_command.content, 'type', v_command.type,
      'sent_by', v_command.sent_by, 'by_person', v_command.by_person, 'repeatable', v_command.repeatable,
      'resumes', v_command.resumes, 'limits', v_command.execution_constraints)));
end
$$;

-- A count among the figures of a run, or null.
create or replace function app.count_in(metrics jsonb, name text) returns bigint language sql immutable as $$
  select case when metrics ->> name ~ '^[0-9]{1,15}$' then (metrics ->> name)::bigint end
$$;

-- Refuses who does not hold a run, or did not until its end. Raises lock_lost, forbidden.
create or replace function app.check_run_holder(run public.agent_runs, lock_token bigint, actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent text;
begin
  select a.name into v_agent from public.agents a
    where a.tenant_id = run.tenant_id and a.id = run.agent_id and a.user_id = actor.user_id
      and (not app.has_no_runner(a) or lower(a.name) = lower(actor.agent));
  if run.lock_token is distinct from check_run_holder.lock_token or not found then
    perform app.fail('lock_lost', format('The run %s is not yours any more.', run.id), null,
      'Stop work on it: it went back to the queue, or ended.');
  end if;
  perform app.check_drives(v_agent, actor);
end
$$;

-- report_run(run, lock_token, events [{type, data}]) -> the run: what its runner saw of it. A repeat of the end changes
-- nothing. Raises lock_lost.
create or replace function public.report_run(
  run text,
  lock_token bigint,
  events jsonb,
  actor jsonb default '{}'
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_run public.agent_runs := app.find_run(run, v_actor);
  v_agent public.agents;
begin
  select * into v_agent from public.agents a where a.tenant_id = v_run.tenant_id and a.id = v_run.agent_id;
  perform from public.commands c where c.tenant_id = v_run.tenant_id and c.id = v_run.command_id for no key update;
  select * into v_run from public.agent_runs r
    where r.tenant_id = v_run.tenant_id and r.id = v_run.id for no key update;
  perform app.check_run_holder(v_run, lock_token, v_actor);
  if v_run.ended_at is not null then
    return app.run_full(v_run);
  end if;
  perform app.check_form('events', case when jsonb_typeof(events) = 'array'
      then jsonb_array_length(events) between 1 and 20
        and not exists (select from jsonb_array_elements(events) e where jsonb_typeof(e) <> 'object') end,
    'a list of 1 to 20 events');
  v_actor.agent := v_agent.name;
  perform app.append_checked((
    select jsonb_agg(jsonb_build_object('stream', 'run:' || v_run.id, 'verb', true, 'type', e.value ->> 'type',
      'data', coalesce(e.value -> 'data', '{}')) order by e.at)
    from jsonb_array_elements(events) with ordinality e (value, at)), v_actor);
  select * into v_run from public.agent_runs r where r.tenant_id = v_run.tenant_id and r.id = v_run.id;
  if v_run.ended_at is not null then
    perform app.release_lease(v_run.tenant_id, 'run', v_run.id, lock_token, app.now());
    -- What was counted after the last beat.
    update public.agent_runs r
      set tokens_in = greatest(r.tokens_in, app.count_in(v_run.metrics, 'tokens_in')),
        tokens_out = greatest(r.tokens_out, app.count_in(v_run.metrics, 'tokens_out'))
      where r.tenant_id = v_run.tenant_id and r.id = v_run.id
      returning * into v_run;
  end if;
  return app.run_full(v_run);
end
$$;
