-- A task is a part of a task of its own project. What it was discovered from may be of another.

drop function app.check_parent(public.tasks, uuid);

-- Refuses a parent of another project, and one that is the task itself or one of its parts: `lock_streams` lets one
-- move at a time come here. A circle that is there already ends the walk. A new task, whose row is empty, has no parts yet.
create function app.check_parent(task public.tasks, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_parent public.tasks := app.find_task(event.payload ->> 'parent', event.tenant_id);
begin
  if v_parent.project_id <> event.project_id then
    perform app.fail('invalid_input', format('Task %s is of another project; it has no part here.', v_parent.ref),
      jsonb_build_object('field', 'parent'), 'Choose a parent of the same project, or name it as discovered_from.');
  end if;
  if exists (
    with recursive above as (
      select t.id, t.parent_id from public.tasks t where t.tenant_id = event.tenant_id and t.id = v_parent.id
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

-- A part that an earlier version let another project's task have does nothing there.
create or replace function app.follow_action(action jsonb, event public.events, task public.tasks)
  returns jsonb
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_body jsonb := action -> (select k from jsonb_object_keys(action) k limit 1);
  v_target uuid := case when v_body ->> 'task' = 'parent' then (
      select p.id from public.tasks p
      where p.tenant_id = task.tenant_id and p.id = task.parent_id and p.project_id = event.project_id)
    else task.id end;
begin
  return case
    when action ? 'create_task' then jsonb_build_object('stream', 'task:' || app.uuid_v7(), 'type', 'task.created',
      'data', v_body - 'depends_on_source'
        || jsonb_build_object('project', event.project_id, 'title', app.fill_template(v_body ->> 'title', task))
        || case when task.id is null then '{}' when coalesce((v_body ->> 'depends_on_source')::boolean, false)
          then jsonb_build_object('dependencies', jsonb_build_array(task.id), 'discovered_from', task.id)
          else jsonb_build_object('discovered_from', task.id) end)
    when action ? 'set_status' then case when v_target is not null then jsonb_build_object(
      'stream', 'task:' || v_target, 'type', 'task.' || (v_body ->> 'status'),
      'data', jsonb_build_object('reason',
        coalesce(v_body ->> 'reason', format('A rule of the project, on %s.', event.event_type)))) end
    when action ? 'save_checkpoint' then jsonb_build_object(
      'stream', 'checkpoint:' || app.uuid_v7(), 'type', 'checkpoint.saved',
      'data', jsonb_build_object('project', event.project_id, 'label', v_body ->> 'label',
        'summary', format('Saved by a rule of the project, on %s.', app.event_text(event))))
    else jsonb_build_object('stream', 'message:' || app.uuid_v7(), 'type', 'message.enqueued',
      'data', jsonb_build_object('project', event.project_id, 'topic', v_body ->> 'topic',
        'payload', jsonb_strip_nulls(jsonb_build_object('event_id', event.id, 'event_type', event.event_type,
          'task', task.ref, 'data', event.payload)))) end;
end
$$;

create or replace function app.check_recorded(event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_slug text;
begin
  perform app.check_data(event.event_type, event.payload, '', true);
  if event.event_type = 'project.created' and not app.is_slug(event.payload ->> 'slug') then
    perform app.fail('invalid_input', 'The slug must be 1 to 31 lower-case letters, digits and dashes.',
      jsonb_build_object('field', 'slug'));
  elsif event.event_type = 'task.created' then
    v_slug := coalesce(
      (select p.slug from public.projects p where p.tenant_id = event.tenant_id and p.id = event.project_id),
      (select e.payload ->> 'slug' from public.events e
        where e.tenant_id = event.tenant_id and e.stream = 'project:' || event.project_id and e.version = 1));
    if event.payload ->> 'project_id' is distinct from event.project_id::text
        or event.payload ->> 'ref' is distinct from v_slug || '-' || (event.payload ->> 'number') then
      perform app.fail('invalid_input', 'The ref and project_id must be those of the event''s project.',
        jsonb_build_object('field', 'ref'));
    end if;
  elsif event.event_type = 'task.approved' and event.actor ->> 'agent' is not null then
    perform app.fail('invalid_input', 'A person approves a task: the actor must name no agent.',
      jsonb_build_object('field', 'actor'));
  end if;
  -- A task waits for tasks that were there before.
  if event.event_type in ('task.created', 'task.dependencies_changed') and exists (
      select from jsonb_array_elements_text(
        coalesce(event.payload -> 'dependencies', '[]') || coalesce(event.payload -> 'add', '[]')) d
      where app.as_uuid(d) = event.task_id
        or app.stream_project(event.tenant_id, 'task:' || app.as_uuid(d)) is distinct from event.project_id) then
    perform app.fail('invalid_input', 'Dependencies must be earlier tasks of the same project.',
      jsonb_build_object('field', 'dependencies'));
  end if;
  if event.event_type in ('task.created', 'task.updated') and event.payload ->> 'parent' is not null
      and app.stream_project(event.tenant_id, 'task:' || app.as_uuid(event.payload ->> 'parent'))
        is distinct from event.project_id then
    perform app.fail('invalid_input', 'The parent must be an earlier task of the same project.',
      jsonb_build_object('field', 'parent'));
  end if;
  if event.payload ? 'rules' then
    perform app.check_rules(event.payload -> 'rules');
  end if;
  if event.payload ? 'constraints' then
    perform app.check_scope(event.payload -> 'constraints', 'constraints');
  end if;
  if event.payload ? 'evidence' and not app.is_evidence(event.payload -> 'evidence') then
    perform app.fail('invalid_input', 'Evidence is a list of {criterion, note or artifact}.',
      jsonb_build_object('field', 'evidence'));
  end if;
end
$$;

select app.secure_functions();
