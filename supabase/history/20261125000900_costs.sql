-- What a command costs grows with what it touches, and has a bound: cycles, locks, follow-ups, answers.

-- These find tasks by their keys and by what they wait for, each looked up for itself. A plan that is made while a
-- workspace is small, and kept, would else read all of its tasks for a few.
create function app.tasks_with(tenant_id uuid, ids uuid[]) returns setof public.tasks language sql stable as $$
  select t.* from unnest(ids) i cross join lateral (
    select x.* from public.tasks x where x.tenant_id = tasks_with.tenant_id and x.id = i offset 0) t
$$;

create function app.dependents_of(tenant_id uuid, task_id uuid) returns setof uuid language sql stable as $$
  select e.task_id from app.task_dependencies e
  where e.tenant_id = dependents_of.tenant_id and e.depends_on = dependents_of.task_id offset 0
$$;

-- Finds the dependencies that lead from a task back to itself, as a path of refs, or null. It goes breadth first, to
-- each task once.
create or replace function app.find_cycle(task public.tasks, added uuid[])
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_via jsonb;
  v_back uuid[] := array[task.id];
begin
  -- Nothing leads back to a task that none waits for.
  if task.id <> all (added) and not exists (select app.dependents_of(task.tenant_id, task.id)) then
    return null;
  elsif not exists (select from app.reached_tasks(task.tenant_id, added) r where r = task.id) then
    return null;
  end if;
  -- The first that led to each. It was reached before, so that going back ends.
  select jsonb_object_agg(l.depends_on, l.task_id) into v_via from (
    select distinct on (e.depends_on) e.depends_on, r.id as task_id
    from app.reached_tasks(task.tenant_id, added) with ordinality r (id, place)
      cross join lateral (
        select x.depends_on from app.task_dependencies x
        where x.tenant_id = task.tenant_id and x.task_id = r.id offset 0) e
    order by e.depends_on, r.place) l;
  while v_back[cardinality(v_back)] <> all (added) loop
    v_back := v_back || (v_via ->> v_back[cardinality(v_back)]::text)::uuid;
  end loop;
  return app.path_text(task, v_back);
end
$$;

-- Lists some tasks and all that they wait for, each once and after the one that led to it.
create function app.reached_tasks(tenant_id uuid, start uuid[])
  returns setof uuid
  language sql
  stable
as $$
  with recursive reached (id) as (
    select unnest(start)
    union
    select e.depends_on from reached r cross join lateral (
      select x.depends_on from app.task_dependencies x
      where x.tenant_id = reached_tasks.tenant_id and x.task_id = r.id offset 0) e)
  select r.id from reached r
$$;

-- Writes a path that ends with the task, as refs. `back` goes from its end to its second task. A long one is cut in the
-- middle.
create function app.path_text(task public.tasks, back uuid[])
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_length integer := cardinality(back);
  v_shown uuid[] := case when v_length > 20 then back[:10] || back[v_length - 9:] else back end;
  v_refs text[] := array(
    select (select t.ref from public.tasks t where t.tenant_id = task.tenant_id and t.id = s.id)
    from unnest(v_shown) with ordinality s (id, at) order by s.at desc);
begin
  return concat_ws(' → ', task.ref, array_to_string(v_refs[:10], ' → '),
    case when v_length > 20 then format('… %s more', v_length - 20) end,
    nullif(array_to_string(v_refs[11:], ' → '), ''));
end
$$;

-- The one place that decides whether work on a task may start, and says why not. Empty means ready.
create or replace function app.waiting_for(task public.tasks)
  returns text[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_expires timestamptz;
begin
  case task.status
    when 'pending' then
      if task.open_dependencies = 0 then
        return '{}';
      end if;
      return array(
        select format('%s (%s): %s', d.ref, d.status, d.title) from app.tasks_with(task.tenant_id, task.dependencies) d
        where d.status <> 'completed' order by d.number limit 10);
    when 'in_progress' then
      v_expires := app.lease_expires_at(task);
      if v_expires <= app.now() then
        return '{}';
      end if;
      return array[format('held by %s until %s', app.quoted_name(task.locked_by),
        to_char(v_expires at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))];
    when 'blocked' then return array['blocked: ' || task.blocked_reason];
    else return array['it is ' || task.status];
  end case;
end
$$;

-- Refuses what a task may not wait for; `field` is the tool's name of the list, `subject` the task.
create or replace function app.check_added(event public.events, added uuid[], field text, subject text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ref text;
begin
  select d.ref into v_ref from app.tasks_with(event.tenant_id, added) d
    where d.status = 'cancelled' or d.project_id <> event.project_id limit 1;
  if found then
    perform app.fail('invalid_input', format('%s cannot depend on %s: it is cancelled or of another project.', subject, v_ref),
      jsonb_build_object('field', field), 'Leave it out, or if it is cancelled reopen it first.');
  end if;
end
$$;

-- The second projection of tasks says how many dependencies are open, and edges. It is a pure function of the tasks
-- themselves.
create or replace function app.count_open_dependencies(task public.tasks)
  returns integer
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (select count(*) from app.tasks_with(task.tenant_id, task.dependencies) d where d.status <> 'completed');
end
$$;

-- Shows a task whole, but for its artifacts, timeline and dependents. What most tasks do not have costs no query.
create or replace function app.task_full(task public.tasks, rules jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_task jsonb := app.task_brief(task) || jsonb_strip_nulls(jsonb_build_object(
    'id', task.id, 'project', left(task.ref, length(task.ref) - length(task.number::text) - 1), 'version', task.version,
    'description', nullif(task.description, ''), 'acceptance_criteria', to_jsonb(task.acceptance_criteria),
    'dependencies', '[]'::jsonb,
    'constraints', nullif(task.constraints, '{}'), 'summary', task.summary,
    'scope', case when rules ? 'scope' or task.constraints <> '{}' then app.effective_scope(rules, task.constraints) end,
    'last_outcome', task.last_outcome, 'last_reason', task.last_reason, 'last_agent', task.last_agent,
    'approved_at', task.approved_at,
    'created_by', task.created_by, 'created_at', task.created_at, 'updated_at', task.updated_at));
begin
  if task.dependencies <> '{}' then
    v_task := v_task || jsonb_build_object('dependencies', (
      select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'ref', d.ref, 'title', d.title, 'status', d.status, 'outcome', left(d.summary, 500))) order by d.number)
      from app.tasks_with(task.tenant_id, task.dependencies) d));
  end if;
  if task.discovered_from is not null then
    v_task := v_task || jsonb_strip_nulls(jsonb_build_object('discovered_from', (
      select d.ref from public.tasks d where d.tenant_id = task.tenant_id and d.id = task.discovered_from)));
  end if;
  if task.evidence <> '[]' then
    v_task := v_task || jsonb_build_object('evidence', (
      select jsonb_agg(jsonb_strip_nulls(to_jsonb(g) || jsonb_build_object('stale', nullif(g.stale, false))))
      from app.graded_evidence(task, task.evidence) g));
  end if;
  if task.status = 'pending' and task.open_dependencies > 0 then
    v_task := v_task || jsonb_build_object('waiting_for', app.waiting_for(task));
  end if;
  return v_task;
end
$$;

-- Locks, in sorted order, whatever the events will touch: the parents of the workspace where a task moves, the project
-- where numbers or edges change, the tasks, what they depend on, and the dependents of those that open or close. A
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
    elsif v_event ->> 'stream' like 'task:%' then
      v_id := app.find_task_id(substring(v_event ->> 'stream' from 6), actor.tenant_id);
      v_tasks := v_tasks || v_id;
      if v_event ->> 'type' = 'task.dependencies_changed' then
        v_projects := v_projects || (
          select t.project_id from public.tasks t where t.tenant_id = actor.tenant_id and t.id = v_id);
      elsif v_event ->> 'type' in ('task.completed', 'task.cancelled', 'task.reopened') then
        v_turned := v_turned || v_id;
      end if;
    end if;
    if v_event -> 'data' ?| array['dependencies', 'add'] then
      v_tasks := v_tasks || array(select app.find_task_id(d, actor.tenant_id)
        from jsonb_array_elements_text(coalesce(v_event -> 'data' -> 'dependencies', v_event -> 'data' -> 'add')) d
        where 'task:' || d <> all (v_new));
    end if;
  end loop;
  if cardinality(v_projects) > 0 then
    perform from (select distinct i as id from unnest(v_projects) i order by 1) s
      cross join lateral (
        select from public.projects p where p.tenant_id = actor.tenant_id and p.id = s.id for no key update) p;
  end if;
  if cardinality(v_turned) > 0 then
    v_tasks := v_tasks || array(select d from unnest(v_turned) i cross join app.dependents_of(actor.tenant_id, i) d);
  end if;
  if cardinality(v_tasks) > 0 then
    perform from (select distinct i as id from unnest(v_tasks) i order by 1) s
      cross join lateral (
        select from public.tasks t where t.tenant_id = actor.tenant_id and t.id = s.id for no key update) t;
  end if;
end
$$;

-- One command may cause so many events by dependency policy, and so many by rules.
create function app.policy_max() returns integer language sql immutable as $$ select 2000 $$;
create function app.triggered_max() returns integer language sql immutable as $$ select 200 $$;

-- Lists the tasks that a cancelled or reopened one concerns: those that wait for it, and those in progress although it
-- is open again.
create function app.concerned_tasks(event public.events)
  returns setof public.tasks
  language sql
  stable
as $$
  select d.* from app.tasks_with(event.tenant_id, array(select app.dependents_of(event.tenant_id, event.task_id))) d
  where d.status = 'in_progress'
    or event.event_type = 'task.cancelled' and d.status = 'pending'
    or event.event_type = 'task.reopened' and d.blocked_by = event.task_id
$$;

drop function app.answer(public.events[], jsonb, integer, bigint);
drop function app.caused(jsonb, public.events, jsonb);
drop function app.follow_ups(public.events, jsonb, integer);
drop function app.follow_policy(public.events);
drop function app.apply_trigger(jsonb, app.actor, timestamptz);

-- A cancelled task blocks the dependents that wait for it, a reopened one frees those it had blocked; dependents in
-- progress are warned of either. A superseded decision is marked.
create function app.follow_policy(event public.events)
  returns jsonb[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ref text;
  v_reason text;
begin
  if event.event_type = 'decision.recorded' and event.payload ? 'supersedes' then
    return array[jsonb_build_object('stream', 'decision:' || (event.payload ->> 'supersedes'), 'type', 'decision.superseded',
      'data', jsonb_build_object('by', app.stream_id(event.stream)))];
  elsif event.event_type not in ('task.cancelled', 'task.reopened') then
    return '{}';
  end if;
  v_ref := (select t.ref from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id);
  v_reason := left(format('Its dependency %s was %s: %s',
    v_ref, split_part(event.event_type, '.', 2), event.payload ->> 'reason'), 4000);
  return array(
    select jsonb_build_object('stream', 'task:' || d.id, 'type', case d.status
        when 'blocked' then 'task.unblocked' when 'pending' then 'task.blocked' else 'task.warned' end,
      'data', case d.status
        when 'blocked' then jsonb_build_object('reason', format('Its dependency %s was reopened.', v_ref))
        else jsonb_build_object('dependency', event.task_id, 'reason', v_reason) end)
    from app.concerned_tasks(event) d order by d.id);
end
$$;

-- Lists what follows from an event: [{stream, type, data, trigger?}]. Triggers see no more than three events in a row.
create function app.follow_ups(event public.events, triggers jsonb, depth integer)
  returns jsonb[]
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_follow jsonb[] := app.follow_policy(event);
  v_task public.tasks;
  v_trigger jsonb;
  v_action jsonb;
begin
  if triggers is null or depth >= 3 then
    return v_follow;
  end if;
  select * into v_task from public.tasks t where t.tenant_id = event.tenant_id and t.id = event.task_id;
  for v_trigger in select t from jsonb_array_elements(triggers) t
      where t ->> 'on' = event.event_type and app.meets(t -> 'when', event.payload, v_task.priority) loop
    v_action := app.follow_action(v_trigger -> 'do', event, v_task);
    if v_action is not null then
      v_follow := v_follow || (v_action || '{"trigger": true}');
    end if;
  end loop;
  return v_follow;
end
$$;

-- Marks a follow-up with what caused it, ready for the queue.
create function app.caused(follow_up jsonb, event public.events, depth integer) returns jsonb language sql immutable as $$
  select follow_up || jsonb_build_object('causation', event.id, 'project', event.project_id, 'depth', depth + 1)
$$;

-- This note stands for what rules ask for beyond the bound.
create function app.note_cut() returns jsonb language sql stable as $$
  select jsonb_build_object('trigger', true, 'type', 'project.noted', 'data', jsonb_build_object('kind', 'risk', 'text',
    format('The rules of this project asked for more than %s events after one command. The rest was left out.', app.triggered_max())))
$$;

-- Tells whether what a policy asks for came about meanwhile, or can no longer: another event of the same command was
-- first.
create function app.is_settled(request jsonb, tenant_id uuid)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if request ? 'trigger' or request ->> 'stream' not like 'task:%' then
    return false;
  end if;
  return not exists (select from public.tasks t
    where t.tenant_id = is_settled.tenant_id and t.id = app.stream_id(request ->> 'stream')
      and t.status = case request ->> 'type'
        when 'task.blocked' then 'pending' when 'task.unblocked' then 'blocked' else 'in_progress' end);
end
$$;

-- Judges, evolves and writes the event that a request asks for. Refuses one that concerns more tasks than the command
-- has room for: all of them have to follow.
create function app.apply_request(request jsonb, actor app.actor, at timestamptz, room integer)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_applied app.applied := app.apply_event(app.new_event(request, actor, at), coalesce(request -> 'expect', '{}'), actor);
  v_event public.events := v_applied.event;
begin
  if v_event.event_type in ('task.cancelled', 'task.reopened')
      and (select count(*) from (select from app.concerned_tasks(v_event) limit room + 1) t) > room then
    perform app.fail('illegal_transition',
      format('Task %s cannot be %s: more than %s tasks that depend on it would change with it.',
        v_applied.state ->> 'ref', split_part(v_event.event_type, '.', 2), room),
      jsonb_build_object('dependents_max', room),
      'Take it out of the dependencies of some (update_task with remove_dependencies) or cancel those, then repeat the call.');
  end if;
  return v_applied;
end
$$;

-- A trigger must not undo the command that set it off: what it may not do is noted in the project instead.
create function app.apply_trigger(request jsonb, actor app.actor, at timestamptz, room integer)
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
    return app.apply_event(app.new_event(request || jsonb_build_object(
      'stream', 'project:' || (request ->> 'project'), 'type', 'project.noted', 'data', jsonb_build_object('kind', 'risk',
        'text', left(format('A trigger could not do %s: %s', request ->> 'type', v_message), 4000))), actor, at), '{}', actor);
end
$$;

-- Guards, evolves and writes the events in order, then what follows from them; last of all takes the positions and
-- records.
create or replace function app.append(events jsonb, actor app.actor)
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
        v_queue := v_queue || app.caused(v_follow, v_event, v_depth);
      end loop;
    end if;
  end loop;
  return app.answer(v_events, v_states, v_asked,
    case when v_new <> '{}' then app.record_events(v_new) - cardinality(v_new) end);
end
$$;

-- Builds a command's answer: the asked events with their states, and what followed: the first fifty, and how many where
-- they are more. Those that are new follow on a position.
create function app.answer(events public.events[], states jsonb[], asked integer, position_before bigint)
  returns jsonb
  language sql
  immutable
as $$
  with items as (
    select e.ordinality as at, e.unnest as state,
      jsonb_build_object('stream', e.stream, 'type', e.event_type) || case
        when e.version is null then '{"repeated": true}'
        else jsonb_build_object('seq', position_before + count(e.version) over (order by e.ordinality),
          'id', e.id, 'version', e.version) end as item
    from rows from (unnest(events), unnest(states)) with ordinality e)
  select jsonb_build_object(
      'events', (
        select jsonb_agg(i.item || jsonb_build_object('state', i.state) order by i.at) from items i where i.at <= asked),
      'followed', (
        select coalesce(jsonb_agg(i.item || jsonb_strip_nulls(jsonb_build_object('ref', i.state)) order by i.at), '[]')
        from items i where i.at > asked and i.at <= asked + 50))
    || case when cardinality(events) > asked + 50
      then jsonb_build_object('followed_total', cardinality(events) - asked) else '{}' end
$$;
