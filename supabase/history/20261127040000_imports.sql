-- An import gives a task the state that it had in the transaction that creates it: nobody sees it in another one.

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
    -- What this call creates is nobody else's to lock.
    elsif v_event ->> 'stream' like 'task:%' and v_event ->> 'stream' <> all (v_new) then
      v_id := app.find_task_id(substring(v_event ->> 'stream' from 6), actor.tenant_id);
      v_tasks := v_tasks || v_id;
      if v_event ->> 'type' = 'task.dependencies_changed' then
        v_projects := v_projects || (
          select t.project_id from public.tasks t where t.tenant_id = actor.tenant_id and t.id = v_id);
      elsif v_event ->> 'type' in ('task.completed', 'task.cancelled', 'task.reopened') then
        v_turned := v_turned || v_id;
      end if;
    end if;
    v_added := coalesce(v_event -> 'data' -> 'dependencies', v_event -> 'data' -> 'add');
    -- Whether it is a list of refs is judged with the rest of the event.
    if jsonb_typeof(v_added) = 'array' then
      v_tasks := v_tasks || array(select app.find_task_id(d, actor.tenant_id)
        from jsonb_array_elements_text(v_added) d
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

create or replace function public.append_events(events jsonb, command jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor, 'member');
  v_result jsonb := app.recall(v_actor, command);
  v_request jsonb;
  v_expect jsonb;
  v_created jsonb := '{}';
begin
  if v_result is not null then
    return v_result;
  end if;
  if coalesce(jsonb_typeof(events), 'null') <> 'array' or jsonb_array_length(events) not between 1 and 200 then
    perform app.fail('invalid_input', 'events is a list of 1 to 200 events.', jsonb_build_object('field', 'events'));
  end if;
  for v_at in 0 .. jsonb_array_length(events) - 1 loop
    v_request := events -> v_at;
    -- Nobody else can want a task that this call creates; any other claim takes turns in claim_task.
    if jsonb_typeof(v_request) <> 'object' or v_request ?| '{trigger,causation,depth,project}'
        or v_request ->> 'type' = 'task.claimed' and not v_created ? coalesce(v_request ->> 'stream', '') then
      perform app.fail('invalid_input', 'An event has stream, type, data and expect, nothing else; claims are made by '
        || 'claim_task, but of a task that the same call creates.', jsonb_build_object('field', 'events'));
    elsif v_request -> 'expect' <> 'null' then
      v_expect := v_request -> 'expect';
      if jsonb_typeof(v_expect) <> 'object' or v_expect - '{version,lock_token}'::text[] <> '{}'
          or concat(coalesce(v_expect ->> 'version', '0'), ' ', coalesce(v_expect ->> 'lock_token', '0'))
            !~ '^[0-9]{1,18} [0-9]{1,18}$' then
        perform app.fail('invalid_input', 'expect has version and lock_token, each a whole number.',
          jsonb_build_object('field', 'expect'), 'Leave out what you do not expect.');
      end if;
    end if;
    if v_request ->> 'type' = 'task.created' and jsonb_typeof(v_request -> 'stream') = 'string' then
      v_created := v_created || jsonb_build_object(v_request ->> 'stream', true);
    end if;
  end loop;
  return app.remember(v_actor, command, app.append(events, v_actor));
end
$$;
