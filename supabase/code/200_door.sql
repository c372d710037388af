-- The one way in: guard, evolve, record.

-- Makes the event of a request, before it is judged.
create or replace function app.new_event(request jsonb, actor app.actor, at timestamptz)
  returns public.events
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_event public.events;
  v_type app.event_types;
  v_id text := substring(request ->> 'stream' from position(':' in request ->> 'stream') + 1);
  v_category text := split_part(request ->> 'stream', ':', 1);
begin
  v_event.event_type := coalesce(request ->> 'type', '');
  v_event.payload := coalesce(request -> 'data', '{}');
  if jsonb_typeof(v_event.payload) <> 'object'
      or split_part(v_event.event_type, '.', 1) is distinct from v_category then
    perform app.fail('invalid_input',
      format('An event needs a stream, a type of the stream''s category, and data; %s on %s does not fit.',
        left(v_event.event_type, 80), left(coalesce(request ->> 'stream', 'null'), 80)));
  end if;
  v_type := app.check_data(v_event.event_type, v_event.payload);
  if app.as_uuid(v_id) is null then
    v_id := case v_category
      when 'task' then app.find_task_id(v_id, actor.tenant_id)
      when 'project' then (app.find_project(nullif(v_id, ''), actor)).id end;
    if v_id is null then
      perform app.fail('invalid_input', format('%s is not a stream.', left(request ->> 'stream', 80)));
    end if;
  end if;
  v_event.tenant_id := actor.tenant_id;
  v_event.id := app.uuid_v7();
  v_event.user_id := actor.user_id;
  v_event.created_at := at;
  v_event.stream := v_category || ':' || lower(v_id);
  v_event.actor := jsonb_strip_nulls(jsonb_build_object(
    'user', actor.user_id,
    'agent', actor.agent,
    'client', actor.client));
  v_event.causation_id := (request ->> 'causation')::uuid;
  v_event.schema_version := v_type.schema_version;
  if v_type.internal and v_event.causation_id is null or v_type.verb_only and not request ? 'verb' then
    perform app.fail('forbidden', format('%s is recorded by Cairn itself, not by callers.', v_event.event_type));
  end if;
  return v_event;
end
$$;

-- Locks, in sorted order, all streams that the events will touch: the parents of the workspace if a task moves, the
-- project if numbers or edges change, the tasks, their dependencies, and the dependents of those that open or close. A
-- single event that touches no dependency and no parent takes its locks when it is applied.
create or replace function app.lock_streams(events jsonb, actor app.actor)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_event jsonb;
  v_project uuid;
  v_ref text;
  v_id uuid;
  v_added jsonb;
  v_new text[] := '{}';
  v_tasks uuid[] := '{}';
  v_turned uuid[] := '{}';
  v_projects uuid[] := '{}';
begin
  if jsonb_path_exists(events, '$[*] ? (@.type == "task.updated" && @.data.parent != null)') then
    -- One move at a time: of two the second sees the first. Before all rows, for a move holds it until it is done.
    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', actor.tenant_id, 'parents'), 0));
  end if;
  for v_event in select e from jsonb_array_elements(events) with ordinality x (e, at) order by at loop
    if v_event ->> 'type' = 'task.created' then
      v_new := v_new || (v_event ->> 'stream');
      if v_project is null or v_event -> 'data' ->> 'project' is distinct from v_ref then
        v_ref := v_event -> 'data' ->> 'project';
        v_project := (app.find_project(v_ref, actor)).id;
        v_projects := v_projects || v_project;
      end if;
    -- No other call can lock a task that this call creates.
    elsif v_event ->> 'stream' like 'task:%' and v_event ->> 'stream' <> all (v_new) then
      v_id := app.find_task_id(substring(v_event ->> 'stream' from 6), actor.tenant_id);
      v_tasks := v_tasks || v_id;
      if v_event ->> 'type' = 'task.dependencies_changed' then
        v_projects := v_projects
          || (select t.project_id from public.tasks t where t.tenant_id = actor.tenant_id and t.id = v_id);
      elsif v_event ->> 'type' in ('task.completed', 'task.cancelled', 'task.reopened') then
        v_turned := v_turned || v_id;
      end if;
    end if;
    v_added := coalesce(v_event -> 'data' -> 'dependencies', v_event -> 'data' -> 'add');
    -- The checks of the event refuse a value that is not a list of refs.
    if jsonb_typeof(v_added) = 'array' then
      v_tasks := v_tasks || array(select app.find_task_id(d, actor.tenant_id)
        from jsonb_array_elements_text(v_added) d
        where 'task:' || d <> all (v_new));
    end if;
  end loop;
  if cardinality(v_projects) > 0 then
    perform from (select distinct i as id from unnest(v_projects) i order by 1) s
      cross join lateral (
        select from public.projects p
        where p.tenant_id = actor.tenant_id and p.id = s.id
        for no key update) p;
  end if;
  if cardinality(v_turned) > 0 then
    v_tasks := v_tasks || array(select d from unnest(v_turned) i cross join app.dependents_of(actor.tenant_id, i) d);
  end if;
  if cardinality(v_tasks) > 0 then
    perform from (select distinct i as id from unnest(v_tasks) i order by 1) s
      cross join lateral (
        select from public.tasks t
        where t.tenant_id = actor.tenant_id and t.id = s.id
        for no key update) t;
  end if;
end
$$;

-- A trigger must not undo the command that set it off: a refused action becomes a note in the project instead.
create or replace function app.apply_trigger(request jsonb, actor app.actor, at timestamptz, room integer)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_message text;
begin
  return app.apply_request(request, actor, at, room);
exception
  -- The whole command is repeated then.
  when deadlock_detected or serialization_failure then
    raise;
  when others then
    get stacked diagnostics v_message = message_text;
    return app.apply_event(
      app.new_event(
        request || jsonb_build_object(
          'stream', 'project:' || (request ->> 'project'),
          'type', 'project.noted',
          'data', jsonb_build_object(
            'kind', 'risk',
            'text', left(format('A trigger could not do %s: %s', request ->> 'type', v_message), 4000))),
        actor, at),
      '{}', actor);
end
$$;

-- Guards, evolves and writes the events in order, then their consequences; takes positions and records last.
create or replace function app.append_checked(events jsonb, actor app.actor)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_queue jsonb[] := array(select e from jsonb_array_elements(events) with ordinality x (e, at) order by at);
  v_asked integer := cardinality(v_queue);
  v_at integer := 0;
  v_request jsonb;
  v_event public.events;
  v_applied app.applied;
  v_now timestamptz;
  v_events public.events[] := '{}';
  v_new public.events[] := '{}';
  v_states jsonb[] := '{}';
  v_follow jsonb;
  v_depth integer;
  v_room integer := app.policy_max();
  v_triggered integer := 0;
  v_cut uuid[] := '{}';
begin
  if v_asked > 1
      or events -> 0 ->> 'type' in ('task.dependencies_changed', 'task.completed', 'task.cancelled', 'task.reopened')
      or events -> 0 -> 'data' ?| '{dependencies,parent}' then
    perform app.lock_streams(events, actor);
  end if;
  v_now := app.now();
  while v_at < cardinality(v_queue) loop
    v_at := v_at + 1;
    v_request := v_queue[v_at];
    continue when v_at > v_asked and app.is_settled(v_request, actor.tenant_id);
    v_applied := case when v_request ? 'trigger' then app.apply_trigger(v_request, actor, v_now, v_room)
      else app.apply_request(v_request, actor, v_now, v_room) end;
    v_event := v_applied.event;
    v_event.correlation_id := coalesce(v_events[1].id, v_event.id);
    v_states := v_states || case when v_at <= v_asked then v_applied.state else v_applied.state -> 'ref' end;
    v_events := v_events || v_event;
    if v_event.version is not null then
      v_new := v_new || v_event;
      if v_event.payload ?| '{text,reason,summary,evidence}' then
        perform app.index_event(v_event);
      end if;
      v_depth := coalesce((v_request ->> 'depth')::integer, 0);
      foreach v_follow in array app.follow_ups(v_event, v_applied.triggers, v_depth) loop
        if not v_follow ? 'trigger' then
          v_room := v_room - 1;
        elsif v_triggered < app.triggered_max() then
          v_triggered := v_triggered + 1;
        else
          continue when v_event.project_id = any (v_cut);
          v_cut := v_cut || v_event.project_id;
          v_follow := app.note_cut() || jsonb_build_object('stream', 'project:' || v_event.project_id);
        end if;
        v_queue := v_queue || app.mark_follow_up(v_follow, v_event, v_depth);
      end loop;
    end if;
  end loop;
  return app.build_answer(v_events, v_states, v_asked,
      case when v_new <> '{}' then app.record_events(v_new) - cardinality(v_new) end)
    || case when events @? '$[*].type ? (@ == "task.completed" || @ == "task.cancelled")' then app.freed_by(v_new)
      else '{}' end;
end
$$;

-- Marks a consequence with its cause, ready for the queue.
create or replace function app.mark_follow_up(follow_up jsonb, event public.events, depth integer)
  returns jsonb
  language sql
  immutable
as $$
  select follow_up || jsonb_build_object('causation', event.id, 'project', event.project_id, 'depth', depth + 1)
$$;

-- Builds a command's answer: the requested events with their states, and the first fifty consequences, with their
-- number if there are more. New ones follow the earlier position.
create or replace function app.build_answer(
  events public.events[],
  states jsonb[],
  asked integer,
  position_before bigint
)
  returns jsonb
  language sql
  immutable
as $$
  with items as (
    select e.ordinality as at,
      e.unnest as state,
      jsonb_build_object('stream', e.stream, 'type', e.event_type)
        || case when e.version is null
          then '{"repeated": true}'
          else jsonb_build_object(
            'seq', position_before + count(e.version) over (order by e.ordinality),
            'id', e.id,
            'version', e.version) end as item
    from rows from (unnest(events), unnest(states)) with ordinality e)
  select jsonb_build_object(
    'events', (
      select jsonb_agg(i.item || jsonb_build_object('state', i.state) order by i.at)
      from items i
      where i.at <= asked),
    'followed', (
      select coalesce(jsonb_agg(i.item || jsonb_strip_nulls(jsonb_build_object('ref', i.state)) order by i.at), '[]')
      from items i
      where i.at > asked and i.at <= asked + 50))
    || case when cardinality(events) > asked + 50
      then jsonb_build_object('followed_total', cardinality(events) - asked)
      else '{}' end
$$;

-- append_events(events [{stream, type, data, expect?: {version?, lock_token?, own_lock?}}], command {name, key?,
-- fingerprint?}) -> {events: [{seq, id, stream, type, version, state}], followed: […]}. All or nothing. `own_lock`
-- takes the lock of whoever acts without its token. Raises the guards' errors, version_conflict, idempotency_mismatch,
-- invalid_input.
create or replace function public.append_events(events jsonb, command jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_result jsonb := app.find_idempotent_result(v_actor, command);
  v_request jsonb;
  v_expect jsonb;
  v_created jsonb := '{}';
begin
  if v_result is not null then
    return v_result;
  end if;
  if coalesce(jsonb_typeof(events), 'null') <> 'array' or jsonb_array_length(events) not between 1 and 200 then
    perform app.fail('invalid_input', 'events must be a list of 1 to 200 events.',
      jsonb_build_object('field', 'events'));
  end if;
  for v_at in 0 .. jsonb_array_length(events) - 1 loop
    v_request := events -> v_at;
    -- Nobody else can want a task that this call creates, and a person may close what nobody holds in one step; any
    -- other claim takes turns in claim_task.
    if jsonb_typeof(v_request) <> 'object' or v_request ?| '{trigger,causation,depth,project,verb}'
        or v_request ->> 'type' = 'task.claimed' and not v_created ? coalesce(v_request ->> 'stream', '')
          and (v_actor.agent is not null or events -> (v_at + 1) ->> 'type' is distinct from 'task.completed'
            or events -> (v_at + 1) ->> 'stream' is distinct from v_request ->> 'stream') then
      perform app.fail('invalid_input', 'An event has stream, type, data and expect, nothing else; claims are made by '
        || 'claim_task, but of a task that the same call creates, or that a person completes next.',
        jsonb_build_object('field', 'events'));
    elsif v_request -> 'expect' <> 'null' then
      v_expect := v_request -> 'expect';
      if jsonb_typeof(v_expect) <> 'object' or v_expect - '{version,lock_token,own_lock}'::text[] <> '{}'
          or concat(coalesce(v_expect ->> 'version', '0'), ' ', coalesce(v_expect ->> 'lock_token', '0'))
            !~ '^[0-9]{1,18} [0-9]{1,18}$' or coalesce(v_expect -> 'own_lock', 'true') <> 'true' then
        perform app.fail('invalid_input', 'expect may hold version and lock_token, each a whole number, and own_lock.',
          jsonb_build_object('field', 'expect'), 'Leave out what you do not expect.');
      end if;
    end if;
    if v_request ->> 'type' = 'task.created' and jsonb_typeof(v_request -> 'stream') = 'string' then
      v_created := v_created || jsonb_build_object(v_request ->> 'stream', true);
    end if;
  end loop;
  return app.save_idempotent_result(v_actor, command, app.append_checked(events, v_actor));
end
$$;
