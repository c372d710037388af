-- Agents: assistants that can be sent commands, each reported by the runner that drives it.

-- Refuses what a caller sends in another form than is meant. Raises invalid_input.
create or replace function app.check_form(field text, is_valid boolean, allowed text)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if is_valid is not true then
    perform app.fail('invalid_input', format('%s must be %s.', field, allowed), jsonb_build_object('field', field));
  end if;
end
$$;

-- Tells whether an agent's hooks, tools or reports speak for it, without a runner.
create or replace function app.has_no_runner(agent public.agents) returns boolean language sql immutable as $$
  select agent.driver in ('hook', 'pull', 'otlp')
$$;

-- How long an agent is believed to be there after its last beat: a runner beats every ten seconds.
create or replace function app.get_beat_patience() returns interval language sql immutable
  return interval '30 seconds';

-- Finds an agent by its name, whatever its case, or by its id. Raises not_found.
create or replace function app.find_agent(ref text, actor app.actor)
  returns public.agents
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent public.agents;
begin
  select * into v_agent from public.agents a
    where a.tenant_id = actor.tenant_id
      and (a.id = app.as_uuid(ref) or a.retired_at is null and lower(a.name) = lower(ref))
    order by a.id = app.as_uuid(ref) desc nulls last, a.created_at limit 1;
  if not found then
    perform app.fail('not_found', format('There is no agent %s in this workspace.', left(ref, 80)), null,
      'list_agents shows those there are; `cairn agent run -- claude` starts one.');
  end if;
  return v_agent;
end
$$;

-- Finds an agent as find_agent does, or else the last that was retired under that name. Raises not_found.
create or replace function app.find_agent_of_any_time(ref text, actor app.actor)
  returns public.agents
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_retired public.agents;
begin
  select * into v_retired from public.agents a
    where a.tenant_id = actor.tenant_id and a.retired_at is not null and lower(a.name) = lower(ref)
      and not exists (
        select from public.agents o
        where o.tenant_id = a.tenant_id and o.retired_at is null and lower(o.name) = lower(a.name))
    order by a.retired_at desc limit 1;
  return case when v_retired.id is null then app.find_agent(ref, actor) else v_retired end;
end
$$;

-- Refuses whoever is neither the owner of an agent or a run nor an administrator.
create or replace function app.check_owner(owner uuid, actor app.actor, what text)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if owner is distinct from actor.user_id and app.role_rank(actor.role) < 3 then
    perform app.fail('forbidden', format('%s is another person''s.', what), null,
      'Its owner or an administrator of the workspace does this.');
  end if;
end
$$;

-- Refuses what no agent may be called: `--to` means something else by it, or a command line takes it for an option.
create or replace function app.check_agent_name(name text)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if app.as_uuid(name) is not null or lower(name) in ('all', 'system') or name ~ ':|^-' then
    perform app.fail('invalid_input', format('An agent cannot be called %s.', name),
      jsonb_build_object('field', 'name'),
      'Choose a name such as claude-1: not all or system, no UUID, without a colon and no dash before it.');
  end if;
end
$$;

-- Lets one after the other take a name, so that the second sees that it is taken.
create or replace function app.lock_agent_name(tenant_id uuid, name text)
  returns void
  language sql
  volatile
as $$
  select pg_advisory_xact_lock(hashtextextended(concat_ws(' ', tenant_id, 'agent', lower(name)), 0))
$$;

-- Finds and locks the agent of a name, or the name while none has it: two that begin at once are one agent. Raises
-- already_exists.
create or replace function app.lock_agent_named(name text, actor app.actor)
  returns public.agents
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent public.agents;
begin
  for v_try in 1..2 loop
    select * into v_agent from public.agents a
      where a.tenant_id = actor.tenant_id and a.retired_at is null and lower(a.name) = lower(lock_agent_named.name)
      for no key update;
    exit when v_agent.id is not null;
    perform app.lock_agent_name(actor.tenant_id, name);
  end loop;
  if v_agent.driver = 'otlp' then
    perform app.fail('already_exists', format('The agent %s is a program that only reports.', v_agent.name),
      jsonb_build_object('field', 'name'), 'Choose another name with --name or CAIRN_AGENT, or rename that one.');
  end if;
  return v_agent;
end
$$;

create or replace function app.guard_agent(agent public.agents, event public.events, actor app.actor)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name constant text := event.payload ->> 'name';
begin
  if agent.retired_at is not null then
    perform app.fail('illegal_transition', format('The agent %s is retired.', agent.name), null,
      'Its runner registers a new one under the same name.');
  elsif event.event_type in ('agent.renamed', 'agent.configured', 'agent.resumed', 'agent.retired') then
    perform app.check_owner(agent.user_id, actor, format('The agent %s', agent.name));
  end if;
  if event.event_type = 'agent.resumed' then
    perform app.refuse_agent(actor, 'A stop is taken back', format('cairn go-on %s', app.shell_word(agent.name)));
  end if;
  perform app.check_agent_name(v_name);
  if v_name is not null then
    perform app.lock_agent_name(event.tenant_id, v_name);
  end if;
  if exists (
      select from public.agents a
      where a.tenant_id = event.tenant_id and a.retired_at is null and lower(a.name) = lower(v_name)
        and a.id is distinct from agent.id) then
    perform app.fail('already_exists', format('There is another agent %s in this workspace.', v_name),
      jsonb_build_object('field', 'name'), 'Choose another name'
        || case when event.event_type = 'agent.registered' then ' with --name.' else '.' end);
  end if;
end
$$;

-- A redacted agent has a name of its own: two with the same blank would count as one.
create or replace function app.evolve_agent(agent public.agents, event public.events)
  returns public.agents
  language plpgsql
  immutable
as $$
begin
  case event.event_type
    when 'agent.registered' then
      agent := jsonb_populate_record(agent, '{"config": {}}' || app.begin_row(event));
    when 'agent.renamed' then
      agent.name := event.payload ->> 'name';
    when 'agent.configured' then
      agent := jsonb_populate_record(agent, event.payload);
    when 'agent.paused' then
      agent.paused_at := event.created_at;
      agent.paused_by := app.actor_name(event);
      agent.pause_reason := event.payload ->> 'reason';
    when 'agent.resumed' then
      agent.paused_at := null;
      agent.paused_by := null;
      agent.pause_reason := null;
    when 'agent.retired' then
      agent.retired_at := event.created_at;
  end case;
  if event.redacted_at is not null and event.payload ? 'name' then
    agent.name := agent.id;
  end if;
  agent.updated_at := event.created_at;
  agent.version := event.version;
  return agent;
end
$$;

-- What an agent still had ends with it. Its commands are locked first, as everywhere.
create or replace function app.finish_agent(agent public.agents, event public.events, actor app.actor)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type = 'agent.retired' then
    perform app.enter_disconnect(agent, 'retired', actor);
    perform from public.commands c
      where c.tenant_id = agent.tenant_id and c.id in (
        select r.command_id from public.agent_runs r
        where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.ended_at is null)
      order by c.id for no key update;
  end if;
end
$$;

-- Says how an agent is: retired, connecting (it has never been there), offline (it said goodbye), lost (it missed its
-- beats), error, or online. What is asked by hooks and tools does not beat: it is there for a quarter of an hour.
create or replace function app.agent_state(agent public.agents, at timestamptz) returns text language sql stable as $$
  select case
    when agent.retired_at is not null then 'retired'
    when agent.seen_at is null then 'connecting'
    when agent.disconnected_at >= agent.seen_at then 'offline'
    when app.has_no_runner(agent)
      then case when agent.seen_at < at - interval '15 minutes' then 'offline' else 'online' end
    when agent.seen_at < at - app.get_beat_patience() then 'lost'
    else coalesce(agent.status, 'online') end
$$;

-- Tells whether an agent takes the commands of a user: its owner's, and others' if its runner says so.
create or replace function app.takes_commands_of(agent public.agents, user_id uuid)
  returns boolean
  language sql
  immutable
as $$
  select agent.user_id = takes_commands_of.user_id or agent.config ->> 'accepts' is not distinct from 'workspace'
$$;

-- How many runs an agent does at once.
create or replace function app.runs_at_once(agent public.agents) returns integer language sql immutable as $$
  select case when agent.config ->> 'runs_at_once' ~ '^[1-9][0-9]{0,2}$'
    then (agent.config ->> 'runs_at_once')::integer else 1 end
$$;

create or replace function app.agent_full(agent public.agents)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now constant timestamptz := app.now();
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', agent.id,
    'name', agent.name,
    'type', agent.type,
    'driver', agent.driver,
    'host', agent.host_machine,
    'project', (select p.slug from public.projects p where p.tenant_id = agent.tenant_id and p.id = agent.project_id),
    'state', app.agent_state(agent, v_now),
    'seen_at', agent.seen_at,
    'connected_at', agent.connected_at,
    'paused_at', agent.paused_at,
    'paused_by', agent.paused_by,
    'pause_reason', agent.pause_reason,
    'stopped', app.stop_reason(agent),
    'modes', case when jsonb_typeof(agent.config -> 'modes') = 'array' then agent.config -> 'modes' end,
    'accepts', agent.config ->> 'accepts',
    'reach', app.reach_of(agent),
    'health', agent.health_metrics,
    'running', (
      select jsonb_agg(app.run_brief(r, agent, v_now) order by r.started_at)
      from public.agent_runs r
      where r.tenant_id = agent.tenant_id and r.agent_id = agent.id
        and app.is_active(r)),
    'queued', (
      select count(*)
      from (
        select from public.agent_runs r
        where r.tenant_id = agent.tenant_id and r.agent_id = agent.id and r.status = 'queued' limit 1000) q),
    'version', agent.version));
end
$$;

-- How an agent fares: what its runner measures, and what its runs tell, whatever the runner says of that.
create or replace function app.agent_health(agent public.agents)
  returns jsonb
  language sql
  stable
as $$
  select coalesce(agent.health_metrics, '{}') - '{commands_processed,average_response_time}'::text[]
    || jsonb_strip_nulls(jsonb_build_object('commands_processed', count(*),
      'average_response_time', round(avg(r.duration_ms))))
  from public.agent_runs r
  where r.tenant_id = agent.tenant_id and r.agent_id = agent.id
    and r.ended_at is not null and r.started_at is not null
$$;

-- get_agent(agent) -> the agent, by name or id, with what its runs tell of its health. Raises not_found.
create or replace function public.get_agent(agent text, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
  v_agent constant public.agents := app.find_agent(agent, v_actor);
begin
  return app.agent_full(v_agent) || jsonb_build_object('health', app.agent_health(v_agent));
end
$$;

-- list_agents(include_retired, cursor?, page_size) -> {agents, next_cursor?}, the latest registered first.
create or replace function public.list_agents(
  include_retired boolean default false,
  cursor text default null,
  page_size integer default 20,
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
  v_actor app.actor := app.authenticate(actor);
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'agents', include_retired);
  v_after jsonb := app.decode_cursor(cursor, v_question);
begin
  return app.build_page('agents', array(
    select app.agent_full(a) || jsonb_build_object('created_at', a.created_at)
    from public.agents a
    where a.tenant_id = v_actor.tenant_id
      and (include_retired or a.retired_at is null)
      and (v_after is null or (a.created_at, a.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by a.created_at desc, a.id desc limit v_size + 1), v_size, v_question, '{id}', '{created_at}');
end
$$;

select app.define_category('agent', 'agents', searched => false, triggering => false,
  kept => '{status,activity_state,connected_at,disconnected_at,seen_at,health_metrics}');
