-- A task cannot become a part of itself, nor of one of its own parts.

-- Refuses a parent that is the task itself or one of its parts. `lock_streams` lets one move at a time come here. A
-- circle that is there already ends the walk.
create function app.check_parent(task public.tasks, parent uuid)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    with recursive above as (
      select t.id, t.parent_id from public.tasks t where t.tenant_id = task.tenant_id and t.id = check_parent.parent
      union
      select t.id, t.parent_id from above a
        join public.tasks t on t.tenant_id = task.tenant_id and t.id = a.parent_id)
    select from above a where a.id = task.id)
  then
    perform app.fail('dependency_cycle', format('Task %s would be a part of itself.', task.ref),
      jsonb_build_object('field', 'parent'), 'Choose another parent, or "" for none.');
  end if;
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
  event.version := app.next_version(v_was.version, expect, 'task');
  event.payload := app.prepare_task(v_was, event, v_project);
  perform app.guard_task(v_was, event, expect, v_project, actor.role);
  if v_was.id is not null and event.payload ->> 'parent' is not null then
    perform app.check_parent(v_was, (event.payload ->> 'parent')::uuid);
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
