-- The one door: every change of state enters here, as events, in one transaction.

-- The event that a request asks for, before it is judged.
create function app.new_event(request jsonb, actor app.actor, at timestamptz)
  returns public.events
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_event public.events;
  v_type app.event_types;
  v_id text := substring(request ->> 'stream' from position(':' in request ->> 'stream') + 1);
  v_category text := split_part(request ->> 'stream', ':', 1);
begin
  v_event.event_type := coalesce(request ->> 'type', '');
  v_event.payload := coalesce(request -> 'data', '{}');
  if jsonb_typeof(v_event.payload) <> 'object' or split_part(v_event.event_type, '.', 1) is distinct from v_category then
    perform app.fail('invalid_input', format('An event has a stream, a type of the stream''s category and data; %s on %s is none.', left(v_event.event_type, 80), left(coalesce(request ->> 'stream', 'null'), 80)));
  end if;
  v_type := app.check_data(v_event.event_type, v_event.payload);
  if app.as_uuid(v_id) is null then
    v_id := case v_category when 'task' then app.find_task_id(v_id, actor.tenant_id) when 'project' then (app.find_project(nullif(v_id, ''), actor)).id end;
    if v_id is null then
      perform app.fail('invalid_input', format('%s is not a stream.', left(request ->> 'stream', 80)));
    end if;
  end if;
  v_event.tenant_id := actor.tenant_id;
  v_event.id := app.uuid_v7();
  v_event.user_id := actor.user_id;
  v_event.created_at := at;
  v_event.stream := v_category || ':' || lower(v_id);
  v_event.actor := jsonb_strip_nulls(jsonb_build_object('user', actor.user_id, 'agent', actor.agent, 'client', actor.client));
  v_event.causation_id := (request ->> 'causation')::uuid;
  v_event.schema_version := v_type.schema_version;
  if v_type.internal and v_event.causation_id is null then
    perform app.fail('forbidden', format('%s is recorded by the door itself, not by callers.', v_event.event_type));
  end if;
  return v_event;
end
$$;

-- Locks, in sorted order, whatever the events will touch: the project where numbers or edges change, the tasks, what they
-- depend on, and their dependents. A single event that touches no dependency takes its locks when it is applied.
create function app.lock_streams(events jsonb, actor app.actor)
  returns void
  language plpgsql
  set search_path = ''
as $$
declare
  v_event jsonb;
  v_project uuid;
  v_ref text;
  v_new text[] := '{}';
  v_tasks uuid[] := '{}';
  v_projects uuid[] := '{}';
begin
  for v_at in 0 .. jsonb_array_length(events) - 1 loop
    v_event := events -> v_at;
    if v_event ->> 'type' = 'task.created' then
      v_new := v_new || (v_event ->> 'stream');
      if v_project is null or v_event -> 'data' ->> 'project' is distinct from v_ref then
        v_ref := v_event -> 'data' ->> 'project';
        v_project := (app.find_project(v_ref, actor)).id;
        v_projects := v_projects || v_project;
      end if;
    elsif v_event ->> 'stream' like 'task:%' then
      v_tasks := v_tasks || app.find_task_id(substring(v_event ->> 'stream' from 6), actor.tenant_id);
      if v_event ->> 'type' = 'task.dependencies_changed' then
        v_projects := v_projects || (select t.project_id from public.tasks t where t.tenant_id = actor.tenant_id and t.id = v_tasks[cardinality(v_tasks)]);
      end if;
    end if;
    if v_event -> 'data' ?| array['dependencies', 'add'] then
      v_tasks := v_tasks || array(select app.find_task_id(d, actor.tenant_id)
        from jsonb_array_elements_text(coalesce(v_event -> 'data' -> 'dependencies', v_event -> 'data' -> 'add')) d where 'task:' || d <> all (v_new));
    end if;
  end loop;
  if cardinality(v_projects) > 0 then
    perform from public.projects p where p.tenant_id = actor.tenant_id and p.id = any (v_projects) order by p.id for no key update;
  end if;
  if cardinality(v_tasks) > 0 then
    perform from public.tasks t where t.tenant_id = actor.tenant_id and t.id = any (v_tasks || array(
        select d.task_id from app.task_dependencies d where d.tenant_id = actor.tenant_id and d.depends_on = any (v_tasks)))
      order by t.id for no key update;
  end if;
end
$$;

create function app.apply_event(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = ''
as $$
begin
  case split_part(event.stream, ':', 1)
    when 'task' then return app.apply_task(event, expect, actor);
    when 'artifact' then return app.apply_artifact(event, expect, actor);
    when 'project' then return app.apply_project(event, expect, actor);
    when 'decision' then return app.apply_decision(event, expect, actor);
    when 'checkpoint' then return app.apply_checkpoint(event, expect, actor);
    when 'session' then return app.apply_session(event, expect, actor);
    when 'event' then return app.apply_redaction(event, expect, actor);
    when 'message' then return app.apply_message(event, expect, actor);
    else perform app.fail('invalid_input', format('There is no stream %s.', left(event.stream, 80)));
  end case;
end
$$;

-- A trigger must not undo the command that set it off: what it may not do is noted in the project instead.
create function app.apply_trigger(request jsonb, actor app.actor, at timestamptz)
  returns app.applied
  language plpgsql
  set search_path = ''
as $$
declare
  v_message text;
begin
  return app.apply_event(app.new_event(request, actor, at), '{}', actor);
exception
  -- The whole command is repeated then.
  when deadlock_detected or serialization_failure then
    raise;
  when others then
    get stacked diagnostics v_message = message_text;
    return app.apply_event(app.new_event(request || jsonb_build_object('stream', 'project:' || (request ->> 'project'), 'type', 'project.noted', 'data',
      jsonb_build_object('kind', 'risk', 'text', left(format('A trigger could not do %s: %s', request ->> 'type', v_message), 4000))), actor, at), '{}', actor);
end
$$;

-- Guards, evolves and writes the events in order, then what follows from them; last of all takes the positions and records.
create function app.append(events jsonb, actor app.actor)
  returns jsonb
  language plpgsql
  set search_path = ''
as $$
declare
  v_queue jsonb := events;
  v_at integer := 0;
  v_request jsonb;
  v_event public.events;
  v_applied app.applied;
  v_now timestamptz;
  v_events public.events[] := '{}';
  v_new public.events[] := '{}';
  v_states jsonb := '[]';
  v_follow jsonb;
  v_asked integer := jsonb_array_length(events);
begin
  if v_asked > 1 or events -> 0 ->> 'type' in ('task.dependencies_changed', 'task.completed', 'task.cancelled', 'task.reopened')
      or events -> 0 -> 'data' ? 'dependencies' then
    perform app.lock_streams(events, actor);
  end if;
  v_now := app.now();
  while v_at < jsonb_array_length(v_queue) loop
    v_request := v_queue -> v_at;
    v_at := v_at + 1;
    v_applied := case when v_request ? 'trigger' then app.apply_trigger(v_request, actor, v_now)
      else app.apply_event(app.new_event(v_request, actor, v_now), v_request -> 'expect', actor) end;
    v_event := v_applied.event;
    v_event.correlation_id := coalesce(v_events[1].id, v_event.id);
    v_states := v_states || jsonb_build_array(v_applied.state);
    v_events := v_events || v_event;
    if v_event.version is not null then
      v_new := v_new || v_event;
      if v_event.payload ?| '{text,reason,summary,evidence}' then
        perform app.index_event(v_event);
      end if;
      v_follow := app.follow_ups(v_event, v_applied.triggers, coalesce((v_request ->> 'depth')::integer, 0));
      if v_follow <> '[]' and jsonb_array_length(v_queue) < v_asked + 200 then
        v_queue := v_queue || app.caused(v_follow, v_event, v_request);
      end if;
    end if;
  end loop;
  return app.answer(v_events, v_states, v_asked, case when v_new <> '{}' then app.record_events(v_new) - cardinality(v_new) end);
end
$$;

-- Follow-ups with what caused them, ready for the queue.
create function app.caused(follow_ups jsonb, event public.events, request jsonb) returns jsonb language sql immutable as $$
  select jsonb_agg(f || jsonb_build_object('causation', event.id, 'project', event.project_id, 'depth', coalesce((request ->> 'depth')::integer, 0) + 1))
  from jsonb_array_elements(follow_ups) f
$$;

-- A command's answer: the asked events with their states, and what followed. Those that are new follow on a position.
create function app.answer(events public.events[], states jsonb, asked integer, position_before bigint)
  returns jsonb
  language plpgsql
  immutable
as $$
declare
  v_event public.events;
  v_at integer := 0;
  v_seq bigint := position_before;
  v_item jsonb;
  v_asked jsonb := '[]';
  v_followed jsonb := '[]';
begin
  foreach v_event in array events loop
    v_item := jsonb_build_object('stream', v_event.stream, 'type', v_event.event_type);
    if v_event.version is null then
      v_item := v_item || '{"repeated": true}';
    else
      v_seq := v_seq + 1;
      v_item := v_item || jsonb_build_object('seq', v_seq, 'id', v_event.id, 'version', v_event.version);
    end if;
    if v_at < asked then
      v_asked := v_asked || (v_item || jsonb_build_object('state', states -> v_at));
    else
      v_followed := v_followed || (v_item || jsonb_strip_nulls(jsonb_build_object('ref', states -> v_at -> 'ref')));
    end if;
    v_at := v_at + 1;
  end loop;
  return jsonb_build_object('events', v_asked, 'followed', v_followed);
end
$$;

-- append_events(events [{stream, type, data, expect?: {version?, lock_token?}}], command {name, key?, fingerprint?}) ->
-- {events: [{seq, id, stream, type, version, state}], followed: […]}. All or nothing. Raises what the guards raise,
-- version_conflict, idempotency_mismatch, invalid_input.
create function public.append_events(events jsonb, command jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor, 'member');
  v_result jsonb := app.recall(v_actor, command);
  v_request jsonb;
  v_expect jsonb;
begin
  if v_result is not null then
    return v_result;
  end if;
  if coalesce(jsonb_typeof(events), 'null') <> 'array' or jsonb_array_length(events) not between 1 and 200 then
    perform app.fail('invalid_input', 'events is a list of 1 to 200 events.', jsonb_build_object('field', 'events'));
  end if;
  for v_at in 0 .. jsonb_array_length(events) - 1 loop
    v_request := events -> v_at;
    if jsonb_typeof(v_request) <> 'object' or v_request ?| '{trigger,causation,depth,project}' or v_request ->> 'type' = 'task.claimed' then
      perform app.fail('invalid_input', 'An event has stream, type, data and expect, nothing else; claims are made by claim_task.', jsonb_build_object('field', 'events'));
    elsif jsonb_typeof(v_request -> 'expect') = 'object' then
      v_expect := v_request -> 'expect';
      if v_expect - '{version,lock_token}'::text[] <> '{}'
          or concat(coalesce(v_expect ->> 'version', '0'), ' ', coalesce(v_expect ->> 'lock_token', '0')) !~ '^[0-9]{1,18} [0-9]{1,18}$' then
        perform app.fail('invalid_input', 'expect has version and lock_token, each a whole number.', jsonb_build_object('field', 'expect'));
      end if;
    end if;
  end loop;
  return app.remember(v_actor, command, app.append(events, v_actor));
end
$$;
