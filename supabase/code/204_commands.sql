-- Commands: what a person or an agent asks of agents. Each agent that a command is for gets a run, and the command's
-- status follows from its runs.

-- Finds the agents that a command is for: names, ids, `type:claude`, or `all`. Those of a type, or all, are those that
-- take it, without the sessions that are over; one that is named is refused if it does not. Raises not_found,
-- forbidden.
create or replace function app.find_targets(targets text[], project public.projects, actor app.actor)
  returns uuid[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_target text;
  v_agent public.agents;
  v_found uuid[] := '{}';
begin
  foreach v_target in array targets loop
    if lower(v_target) = 'all' or v_target ~* '^type:' then
      v_found := v_found || array(
        select a.id from public.agents a
        where a.tenant_id = actor.tenant_id
          and a.retired_at is null
          and (lower(v_target) = 'all' or a.type = lower(substring(v_target from 6)))
          and app.takes_commands_of(a, actor.user_id)
          and (a.project_id is null or a.project_id = project.id)
          and a.driver <> 'otlp'
          and not (app.has_no_runner(a) and app.agent_state(a, app.now()) = 'offline')
        order by a.created_at, a.id limit 101);
      continue;
    end if;
    v_agent := app.find_agent(v_target, actor);
    if v_agent.retired_at is not null or not app.takes_commands_of(v_agent, actor.user_id) then
      perform app.fail('forbidden', format('%s takes no commands of yours.', v_agent.name), null,
        'Ask its owner to start it with --accept workspace, or send to an agent of your own.');
    elsif v_agent.driver = 'otlp' then
      perform app.fail('forbidden', format('%s takes no commands: it only reports.', v_agent.name), null,
        'Start its program with `cairn agent run -- PROGRAM`.');
    elsif v_agent.project_id <> project.id or v_agent.project_id is not null and project.id is null then
      perform app.fail('forbidden', format('%s works for one project alone.', v_agent.name), null,
        format('Pass project: %s.', (select p.slug from public.projects p
          where p.tenant_id = v_agent.tenant_id and p.id = v_agent.project_id)));
    end if;
    v_found := v_found || v_agent.id;
  end loop;
  v_found := array(select f.id from unnest(v_found) with ordinality f (id, at) group by f.id order by min(f.at));
  if cardinality(v_found) not between 1 and 100 then
    perform app.fail(case when v_found = '{}' then 'not_found' else 'invalid_input' end,
      case when v_found = '{}' then format('There is no agent for %s.', left(array_to_string(targets, ', '), 80))
        else 'A command is for at most 100 agents.' end,
      jsonb_build_object('field', 'to'),
      'list_agents shows those there are; `cairn agent run -- claude` starts one.');
  end if;
  return v_found;
end
$$;

create or replace function app.limit_names() returns text[] language sql immutable as $$
  select '{time_limit_ms,token_budget,memory_limit_mb,cpu_limit_percent,silence_limit_ms}'::text[]
$$;

-- Refuses limits that nobody knows, or that limit nothing.
create or replace function app.check_limits(limits jsonb)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_known constant text[] := app.limit_names();
  v_bad text := (
    select e.key from jsonb_each(limits) e
    where e.key <> all (v_known) or (jsonb_typeof(e.value) = 'number' and e.value #>> '{}' ~ '^[1-9][0-9]{0,12}$')
      is not true
    limit 1);
begin
  if v_bad is not null then
    perform app.fail('invalid_input', format('The limit %s is not valid.', left(v_bad, 80)),
      jsonb_build_object('field', 'limits'),
      format('Each is a whole number above 0: %s.', array_to_string(v_known, ', ')));
  end if;
end
$$;

-- The smallest of two sets of limits, each by name.
create or replace function app.smallest_limits(one jsonb, other jsonb) returns jsonb language sql immutable as $$
  select coalesce(jsonb_object_agg(l.name, l.most), '{}')
  from (
    select e.key as name, min((e.value #>> '{}')::bigint) as most
    from (select * from jsonb_each(one) union all select * from jsonb_each(other)) e
    where e.value <> 'null'
    group by e.key) l
$$;

create or replace function app.limits_of(profile public.execution_constraints)
  returns jsonb
  language sql
  immutable
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'time_limit_ms', profile.time_limit_ms,
    'token_budget', profile.token_budget,
    'memory_limit_mb', profile.memory_limit_mb,
    'cpu_limit_percent', profile.cpu_limit_percent,
    'silence_limit_ms', profile.silence_limit_ms))
$$;

create or replace function app.find_default_profile(tenant_id uuid)
  returns public.execution_constraints
  language sql
  stable
as $$
  select x.* from public.execution_constraints x
  where x.tenant_id = find_default_profile.tenant_id and x.is_default and x.removed_at is null
$$;

-- Fills in what a command leaves to its preset, its profile and its project: text, type and targets; limits, of which
-- the smallest count. Later changes of them leave the command as it is. Raises invalid_input, not_found.
create or replace function app.fill_command(payload jsonb, project public.projects, actor app.actor)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_preset public.command_presets;
  v_profile public.execution_constraints;
begin
  if payload ? 'preset' then
    if payload ? 'content' then
      perform app.fail('invalid_input', 'A command has content or a preset, not both.',
        jsonb_build_object('field', 'content'));
    end if;
    v_preset := app.find_preset(payload ->> 'preset', actor);
    payload := jsonb_strip_nulls(jsonb_build_object('type', v_preset.type, 'to', (
        select jsonb_agg('type:' || t) from unnest(v_preset.target_agent_types) t)))
      || payload || jsonb_build_object('preset', v_preset.id,
        'content', app.fill_preset(v_preset, coalesce(payload -> 'values', '{}')));
  end if;
  perform app.check_form('to', jsonb_array_length(payload -> 'to') > 0, 'a list of agents, type:claude, or all');
  perform app.check_form('content', payload ? 'content', 'what the agents shall do, or name a preset');
  perform app.check_limits(coalesce(payload -> 'execution_constraints', '{}'));
  v_profile := case when payload ? 'profile' then app.find_profile(payload ->> 'profile', actor)
    else app.find_default_profile(actor.tenant_id) end;
  return payload || jsonb_strip_nulls(jsonb_build_object('profile', v_profile.id)) || jsonb_build_object(
    'execution_constraints',
    app.smallest_limits(app.smallest_limits(app.limits_of(v_profile), coalesce(project.rules -> 'limits', '{}')),
      coalesce(payload -> 'execution_constraints', '{}')));
end
$$;

-- Refuses a command that cannot be carried out, and adds what it needs: its targets, and who it is from.
create or replace function app.prepare_command(
  command public.commands,
  event public.events,
  task public.tasks,
  project public.projects,
  actor app.actor
)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_payload jsonb := event.payload;
  v_targets uuid[];
  v_author text;
begin
  if event.event_type <> 'command.sent' then
    return v_payload;
  end if;
  v_payload := app.fill_command(v_payload, project, actor);
  v_targets := app.find_targets(array(select jsonb_array_elements_text(v_payload -> 'to')), project, actor);
  if event.task_id is not null then
    if cardinality(v_targets) > 1 then
      perform app.fail('invalid_input', format('Task %s is for one agent, not %s.', task.ref, cardinality(v_targets)),
        jsonb_build_object('field', 'to'), 'Send it to one of them.');
    elsif task.status in ('completed', 'cancelled') then
      perform app.fail('illegal_transition', format('Task %s is %s.', task.ref, task.status), null,
        'Reopen it, or send the command without it.');
    end if;
  end if;
  -- Words of an agent are no order of the person who sends them.
  v_author := case when app.is_person(actor) then (
    select app.preset_author(p) from public.command_presets p
    where p.tenant_id = event.tenant_id and p.id = (v_payload ->> 'preset')::uuid) end;
  return '{"type": "natural", "mode": "turn", "priority": 50, "ttl_seconds": 86400, "repeatable": false,
      "resumes": true}'
    || v_payload || jsonb_build_object(
      'target_agents', v_targets,
      'broadcast', v_payload -> 'to' ? 'all',
      'sent_by', case when v_author is null then app.actor_name(actor)
        else left(format('%s, in a preset that %s sent', v_author, app.actor_name(actor)), 120) end,
      'by_person', app.is_person(actor) and v_author is null);
end
$$;

-- A preset counts the commands that name it.
create or replace function app.finish_command(command public.commands, event public.events, actor app.actor)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type = 'command.sent' and command.preset_id is not null then
    perform app.count_preset_use(p) from public.command_presets p
      where p.tenant_id = command.tenant_id and p.id = command.preset_id;
    perform app.enter_audit('preset_used', actor, command_id => command.id,
      details => jsonb_build_object('preset', command.preset_id));
  end if;
end
$$;

create or replace function app.guard_command(command public.commands, event public.events, actor app.actor)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if command.completed_at is not null then
    perform app.fail('illegal_transition', format('The command %s is %s.', command.id, command.status), null,
      'Send it again if it is still needed.');
  elsif event.event_type = 'command.cancelled' and event.causation_id is null then
    perform app.check_owner(command.user_id, actor, format('The command %s', command.id));
  end if;
end
$$;

create or replace function app.evolve_command(command public.commands, event public.events)
  returns public.commands
  language plpgsql
  immutable
as $$
begin
  case event.event_type
    when 'command.sent' then
      command := jsonb_populate_record(command, app.begin_row(event) || '{"status": "queued"}');
      command.preset_id := event.payload ->> 'preset';
      command.constraint_id := event.payload ->> 'profile';
      command.expires_at := event.created_at + make_interval(secs => (event.payload ->> 'ttl_seconds')::integer);
    when 'command.started' then
      command.status := 'executing';
      command.started_at := event.created_at;
    when 'command.completed', 'command.failed', 'command.cancelled' then
      command.status := split_part(event.event_type, '.', 2);
      command.completed_at := event.created_at;
      command.error := coalesce(event.payload ->> 'error', event.payload ->> 'reason');
  end case;
  command.updated_at := event.created_at;
  command.version := event.version;
  return command;
end
$$;

-- Shows a command with the state of each of its runs, of which there are at most a hundred.
create or replace function app.command_full(command public.commands)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now constant timestamptz := app.now();
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'id', command.id,
    'content', command.content,
    'type', command.type,
    'mode', command.mode,
    'status', command.status,
    'priority', command.priority,
    'project', (select p.slug from public.projects p
      where p.tenant_id = command.tenant_id and p.id = command.project_id),
    'task', (select t.ref from public.tasks t where t.tenant_id = command.tenant_id and t.id = command.task_id),
    'sent_by', command.sent_by,
    'by_person', command.by_person,
    'limits', nullif(command.execution_constraints, '{}'),
    'expires_at', command.expires_at,
    'created_at', command.created_at,
    'started_at', command.started_at,
    'completed_at', command.completed_at,
    'error', command.error,
    'report', (app.report_of(command.tenant_id, command.id)).id,
    'runs', (
      select jsonb_agg(app.run_brief(r, a, v_now) order by r.agent_name)
      from public.agent_runs r
      left join public.agents a on a.tenant_id = r.tenant_id and a.id = r.agent_id
      where r.tenant_id = command.tenant_id and r.command_id = command.id)));
end
$$;

-- Requests the end of runs that are open when their agent or their project goes.
create or replace function app.end_left_run(run public.agent_runs, why text) returns jsonb language sql immutable as $$
  select jsonb_build_object('stream', 'run:' || run.id, 'verb', true, 'type', 'run.finished',
    'data', jsonb_build_object('error', why) || case
      when app.is_chat(run) then '{"status": "completed", "end_reason": "completed"}'::jsonb
      when run.status in ('pending', 'queued')
      then '{"status": "cancelled", "end_reason": "cancelled"}'::jsonb
      else '{"status": "failed", "end_reason": "lost"}' end)
$$;

-- Lists what follows from an event for commands and runs: a command sent queues a run for each target; a cancelled one
-- ends those that wait and interrupts those that run; one that was to be interrupted does not go back to the queue; the
-- last run to end ends its command.
create or replace function app.follow_commands(event public.events)
  returns jsonb[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- Most events are none of these, and whoever begins the expression below begins its four queries.
  if event.event_type not in ('command.sent', 'command.cancelled', 'agent.retired', 'project.archived',
      'run.claimed', 'run.requeued', 'run.finished') then
    return '{}';
  end if;
  return case event.event_type
    when 'command.sent' then array(
      select jsonb_build_object('stream', 'run:' || app.uuid_v7(), 'type', 'run.queued', 'data', jsonb_strip_nulls(
        jsonb_build_object('agent_id', a.id, 'agent_name', a.name, 'command_id', app.stream_id(event.stream),
          'task', event.task_id, 'project', event.project_id,
          'mode', app.mode_of_command(event.payload ->> 'type', event.task_id),
          'priority', event.payload -> 'priority', 'delivery_mode', event.payload -> 'mode',
          'ttl_seconds', event.payload -> 'ttl_seconds')))
      from jsonb_array_elements_text(event.payload -> 'target_agents') with ordinality t (id, at)
      join public.agents a on a.tenant_id = event.tenant_id and a.id = t.id::uuid
      order by t.at)
    when 'command.cancelled' then array(
      select jsonb_build_object('stream', 'run:' || r.id) || case when r.status in ('pending', 'queued')
        then '{"verb": true, "type": "run.finished", "data": {"status": "cancelled", "end_reason": "cancelled"}}'::jsonb
        else jsonb_build_object('type', 'run.interrupt_requested', 'data', jsonb_build_object('reason',
          coalesce(event.payload ->> 'reason', 'The command was cancelled.'))) end
      from public.agent_runs r
      where r.tenant_id = event.tenant_id and r.command_id = app.stream_id(event.stream) and r.ended_at is null
        and event.causation_id is null
      order by r.id)
    when 'agent.retired' then array(
      select app.end_left_run(r, 'Its agent was retired.') from public.agent_runs r
      where r.tenant_id = event.tenant_id and r.agent_id = app.stream_id(event.stream) and r.ended_at is null
      order by r.id limit 500)
    when 'project.archived' then array(
      select app.end_left_run(r, 'Its project was archived.') from public.agent_runs r
      where r.tenant_id = event.tenant_id and r.project_id = event.project_id and r.ended_at is null
      order by r.id limit 500)
    when 'run.claimed' then array(
      select jsonb_build_object('stream', 'command:' || c.id, 'type', 'command.started')
      from public.agent_runs r
      join public.commands c on c.tenant_id = r.tenant_id and c.id = r.command_id
      where r.tenant_id = event.tenant_id and r.id = app.stream_id(event.stream) and c.status in ('pending', 'queued'))
    when 'run.requeued' then array(
      select jsonb_build_object('stream', 'run:' || r.id, 'verb', true, 'type', 'run.finished',
        'data', app.interrupted_end(r))
      from public.agent_runs r
      where r.tenant_id = event.tenant_id and r.id = app.stream_id(event.stream) and r.interrupt_requested)
    when 'run.finished' then app.end_of_command(event) end;
end
$$;

-- Which mode a run of a command has: that of its type, unless a task says more.
create or replace function app.mode_of_command(type text, task_id uuid) returns text language sql immutable as $$
  select case when type <> 'natural' then type when task_id is not null then 'task' else 'chat' end
$$;

-- The event by which a command ends with its last run. Whoever records that has locked the command before.
create or replace function app.end_of_command(event public.events)
  returns jsonb[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    select jsonb_build_object('stream', 'command:' || c.id, 'type', case
        when bool_or(x.status in ('failed', 'timed_out')) then 'command.failed'
        when bool_or(x.status = 'completed') then 'command.completed'
        else 'command.cancelled' end,
      'data', jsonb_strip_nulls(jsonb_build_object(
        'error', left(string_agg(x.error, '; ') filter (where x.status in ('failed', 'timed_out')), 2000),
        'reason', case when bool_and(x.status = 'cancelled') then min(x.end_reason) end)))
    from public.agent_runs r
    join public.commands c on c.tenant_id = r.tenant_id and c.id = r.command_id
    join public.agent_runs x on x.tenant_id = c.tenant_id and x.command_id = c.id
    where r.tenant_id = event.tenant_id and r.id = app.stream_id(event.stream) and c.completed_at is null
    group by c.id
    having bool_and(x.ended_at is not null));
end
$$;

-- Finds a command by its id, without one the latest. Raises not_found.
create or replace function app.find_command(ref text, actor app.actor)
  returns public.commands
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_command public.commands;
begin
  if ref is null then
    select * into v_command from public.commands c where c.tenant_id = actor.tenant_id
      order by c.created_at desc, c.id desc limit 1;
  else
    select * into v_command from public.commands c where c.tenant_id = actor.tenant_id and c.id = app.as_uuid(ref);
  end if;
  if v_command.id is null then
    perform app.fail('not_found', concat_ws(' ', 'There is no command', left(ref, 80), 'in this workspace.'), null,
      'list_commands shows the ids.');
  end if;
  return v_command;
end
$$;

-- get_command(command?) -> the command with its runs, without one the latest. Raises not_found.
create or replace function public.get_command(command text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor);
begin
  return app.command_full(app.find_command(command, v_actor));
end
$$;

-- list_commands(project?, status?, cursor?, page_size) -> {commands, next_cursor?}, the latest first.
create or replace function public.list_commands(
  project text default null,
  status text default null,
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
  v_project uuid := case when project is not null then (app.find_project(project, v_actor)).id end;
  v_size integer := app.page_size(page_size, 100);
  v_question text := concat_ws(' ', 'commands', v_project, status);
  v_after jsonb := app.decode_cursor(cursor, v_question);
begin
  return app.build_page('commands', array(
    select app.command_full(c)
    from public.commands c
    where c.tenant_id = v_actor.tenant_id
      and (v_project is null or c.project_id = v_project)
      and (list_commands.status is null or c.status = list_commands.status)
      and (v_after is null or (c.created_at, c.id) < ((v_after ->> 'at')::timestamptz, (v_after ->> 'id')::uuid))
    order by c.created_at desc, c.id desc limit v_size + 1), v_size, v_question, '{id}', '{created_at}');
end
$$;

select app.define_category('command', 'commands', searched => false, triggering => false);
