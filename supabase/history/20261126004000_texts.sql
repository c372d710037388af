-- The text of a task is written over by nobody who has not seen it as it stands.

-- Refuses a new title, description or criteria from who does not hold the task and names no version or another one than
-- the task is at. Raises version_conflict, with what stands there.
create function app.check_text_version(task public.tasks, event public.events, expect jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type <> 'task.updated' or event.causation_id is not null
      or not event.payload ?| '{title,description,acceptance_criteria}'
      or expect ->> 'lock_token' is not null or expect ->> 'version' = task.version::text then
    return;
  end if;
  perform app.fail('version_conflict',
    case when expect ->> 'version' is null
      then format('You do not hold task %s: say on which version of its text yours is based.', task.ref)
      else format('Task %s is at version %s, not %s.', task.ref, task.version, left(expect ->> 'version', 20)) end,
    jsonb_build_object('version', task.version, 'title', task.title, 'description', nullif(task.description, ''),
      'acceptance_criteria', to_jsonb(task.acceptance_criteria)),
    format('Work your change into the text as it stands now (get_task shows all of it), then repeat with '
      || 'expected_version %s.', task.version));
end
$$;

create or replace function app.apply_task(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_was public.tasks;
  v_task public.tasks;
  v_project public.projects;
begin
  select * into v_was from public.tasks t
    where t.tenant_id = event.tenant_id and t.id = app.stream_id(event.stream) for no key update;
  if v_was.id is null and event.event_type <> 'task.created' then
    perform app.find_task_id(app.stream_id(event.stream)::text, event.tenant_id);
  end if;
  v_project := app.find_project(
    case when v_was.id is null then event.payload ->> 'project' else v_was.project_id::text end, actor);
  if app.is_repeat(v_was, event, expect) then
    event.version := null;
    return (event, app.task_full(v_was, v_project.rules), null)::app.applied;
  end if;
  event.project_id := v_project.id;
  event.task_id := app.stream_id(event.stream);
  if v_was.id is null or v_project.rules ? 'triggers' then
    -- A new task's number is taken under the project's lock, which comes before the counts'; a trigger may create one.
    select * into v_project from public.projects p
      where p.tenant_id = v_project.tenant_id and p.id = v_project.id for no key update;
  end if;
  event.payload := app.prepare_task(v_was, event, v_project);
  perform app.guard_task(v_was, event, expect, v_project, actor.role);
  perform app.check_text_version(v_was, event, expect);
  event.version := app.next_version(v_was.version, expect, 'task');
  if (event.payload ->> 'parent')::uuid <> coalesce(v_was.parent_id, app.nobody()) then
    perform app.check_parent(v_was, event);
  end if;
  v_task := app.evolve_task(v_was, event);
  if v_task.dependencies = coalesce(v_was.dependencies, '{}') then
    perform app.write_task(v_task, v_was.id is null);
  else
    v_task.open_dependencies := app.count_open_dependencies(v_task);
    perform app.write_task(v_task, v_was.id is null);
    perform app.write_edges(v_task);
  end if;
  if v_was.lock_token is not null or v_task.lock_token is not null then
    perform app.keep_lease(v_was, v_task, event, expect);
  end if;
  if event.event_type in ('task.created', 'task.updated') then
    perform app.index_task(v_task);
  end if;
  if (v_was.status, v_was.open_dependencies) is distinct from (v_task.status, v_task.open_dependencies) then
    perform app.count_tasks(v_task.tenant_id, v_task.project_id, v_was.status, v_task.status,
      coalesce(app.is_ready(v_was), 0), app.is_ready(v_task));
    if (coalesce(v_was.status, '') = 'completed') <> (v_task.status = 'completed') then
      perform app.free_dependents(v_task, case when v_task.status = 'completed' then -1 else 1 end);
    end if;
  end if;
  return (event, app.task_full(v_task, v_project.rules), v_project.rules -> 'triggers')::app.applied;
end
$$;

select app.secure_functions();
