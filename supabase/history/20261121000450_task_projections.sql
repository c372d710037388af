-- Projections of tasks: rows, edges, counts, leases, the search index; and the step that judges, evolves and writes an event.

create function app.write_task(task public.tasks, is_new boolean)
  returns void
  language plpgsql
  set search_path = ''
as $$
begin
  if is_new then
    insert into public.tasks select task.*;
    return;
  end if;
  update public.tasks t set (title, description, acceptance_criteria, constraints, dependencies, parent_id, status, priority, open_dependencies,
      blocked_reason, blocked_by, warning, locked_at, locked_by, locked_by_user, lock_token, attempts, last_outcome, last_reason, last_agent,
      summary, evidence, approved_at, completed_at, version, updated_at)
    = (task.title, task.description, task.acceptance_criteria, task.constraints, task.dependencies, task.parent_id, task.status, task.priority, task.open_dependencies,
      task.blocked_reason, task.blocked_by, task.warning, task.locked_at, task.locked_by, task.locked_by_user, task.lock_token, task.attempts, task.last_outcome,
      task.last_reason, task.last_agent, task.summary, task.evidence, task.approved_at, task.completed_at, task.version, task.updated_at)
    where t.tenant_id = task.tenant_id and t.id = task.id;
end
$$;

-- The second projection of tasks: how many dependencies are open, and edges. A pure function of the tasks themselves.
create function app.count_open_dependencies(task public.tasks)
  returns integer
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (select count(*) from public.tasks d where d.tenant_id = task.tenant_id and d.id = any (task.dependencies) and d.status <> 'completed');
end
$$;

create function app.write_edges(task public.tasks)
  returns void
  language plpgsql
  set search_path = ''
as $$
begin
  delete from app.task_dependencies e where e.tenant_id = task.tenant_id and e.task_id = task.id and e.depends_on <> all (task.dependencies);
  insert into app.task_dependencies (tenant_id, task_id, depends_on)
    select task.tenant_id, task.id, d from unnest(task.dependencies) d on conflict do nothing;
end
$$;

-- The third: the project's counts. One row an update, taken after the tasks' locks and before the position.
create function app.count_tasks(tenant_id uuid, project_id uuid, was text, becomes text, was_ready integer, ready integer)
  returns void
  language plpgsql
  set search_path = ''
as $$
begin
  update app.task_counts c set
    ready = c.ready + count_tasks.ready - was_ready,
    pending = c.pending + (becomes = 'pending')::integer - coalesce((was = 'pending')::integer, 0),
    in_progress = c.in_progress + (becomes = 'in_progress')::integer - coalesce((was = 'in_progress')::integer, 0),
    blocked = c.blocked + (becomes = 'blocked')::integer - coalesce((was = 'blocked')::integer, 0),
    completed = c.completed + (becomes = 'completed')::integer - coalesce((was = 'completed')::integer, 0),
    cancelled = c.cancelled + (becomes = 'cancelled')::integer - coalesce((was = 'cancelled')::integer, 0)
  where c.tenant_id = count_tasks.tenant_id and c.project_id = count_tasks.project_id;
end
$$;

create function app.is_ready(task public.tasks) returns integer language sql immutable as $$
  select (coalesce(task.status, '') = 'pending' and task.open_dependencies = 0)::integer
$$;

-- A completed task frees its dependents, a reopened one holds them back.
create function app.free_dependents(task public.tasks, difference integer)
  returns void
  language plpgsql
  set search_path = ''
as $$
declare
  v_ready integer;
begin
  with changed as (
    update public.tasks d set open_dependencies = d.open_dependencies + difference
      from app.task_dependencies e
      where e.tenant_id = task.tenant_id and e.depends_on = task.id and d.tenant_id = e.tenant_id and d.id = e.task_id
      returning d.status, d.open_dependencies)
  select coalesce(sum(case when c.open_dependencies = 0 then 1 when c.open_dependencies = difference then -1 else 0 end), 0)
    into v_ready from changed c where c.status = 'pending';
  if v_ready <> 0 then
    perform app.count_tasks(task.tenant_id, task.project_id, 'pending', 'pending', 0, v_ready);
  end if;
end
$$;

-- Keeps the lease in step with the lock: a claim starts it, the holder's calls extend it, the end of the lock removes it.
create function app.keep_lease(was public.tasks, task public.tasks, event public.events, expect jsonb)
  returns void
  language plpgsql
  set search_path = ''
as $$
begin
  if event.event_type = 'task.claimed' then
    insert into public.task_leases (tenant_id, task_id, project_id, lock_token, ttl_seconds, expires_at)
      values (task.tenant_id, task.id, task.project_id, task.lock_token, (event.payload ->> 'ttl_seconds')::integer,
        event.created_at + make_interval(secs => (event.payload ->> 'ttl_seconds')::integer))
      on conflict (tenant_id, task_id) do update set (lock_token, ttl_seconds, expires_at)
        = (excluded.lock_token, excluded.ttl_seconds, excluded.expires_at);
  elsif was.status = 'in_progress' and task.status <> 'in_progress' then
    delete from public.task_leases l where l.tenant_id = task.tenant_id and l.task_id = task.id;
  elsif expect ->> 'lock_token' is not null then
    perform app.extend_lease(task, event.created_at);
  end if;
end
$$;

create function app.extend_lease(task public.tasks, at timestamptz)
  returns void
  language plpgsql
  set search_path = ''
as $$
begin
  update public.task_leases l set expires_at = greatest(l.expires_at, at + make_interval(secs => l.ttl_seconds))
    where l.tenant_id = task.tenant_id and l.task_id = task.id and l.lock_token = task.lock_token;
end
$$;

-- A release or completion that its holder sends again: it succeeded before, with the same token.
create function app.is_repeat(task public.tasks, event public.events, expect jsonb)
  returns boolean
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if event.event_type not in ('task.released', 'task.completed') or task.status = 'in_progress' or expect ->> 'lock_token' is null then
    return false;
  end if;
  return exists (select from public.events e where e.tenant_id = event.tenant_id and e.stream = event.stream
      and e.version > (expect ->> 'lock_token')::bigint and e.event_type = event.event_type
      and e.payload ->> 'lock_token' = expect ->> 'lock_token' and e.actor = event.actor);
end
$$;

create function app.task_text(task public.tasks) returns text language sql stable as $$
  select concat_ws(' ', task.ref, task.title, task.description, array_to_string(task.acceptance_criteria, ' '))
$$;

create function app.index_task(task public.tasks) returns void language sql as $$
  select app.index_text('task', task.tenant_id, task.id, task.project_id, app.task_text(task))
$$;

create function app.apply_task(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = ''
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
  v_project := app.find_project(case when v_was.id is null then event.payload ->> 'project' else v_was.project_id::text end, actor);
  if app.is_repeat(v_was, event, expect) then
    event.version := null;
    return (event, app.task_full(v_was, v_project.rules), null)::app.applied;
  end if;
  event.project_id := v_project.id;
  event.task_id := app.stream_id(event.stream);
  if v_was.id is null or v_project.rules ? 'triggers' then
    -- A new task's number is taken under the project's lock, which comes before the counts'; a trigger may create one.
    select * into v_project from public.projects p where p.tenant_id = v_project.tenant_id and p.id = v_project.id for no key update;
  end if;
  event.version := app.next_version(v_was.version, expect, 'task');
  event.payload := app.prepare_task(v_was, event, v_project);
  perform app.guard_task(v_was, event, expect, v_project, actor.role);
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
    perform app.count_tasks(v_task.tenant_id, v_task.project_id, v_was.status, v_task.status, coalesce(app.is_ready(v_was), 0), app.is_ready(v_task));
    if (coalesce(v_was.status, '') = 'completed') <> (v_task.status = 'completed') then
      perform app.free_dependents(v_task, case when v_task.status = 'completed' then -1 else 1 end);
    end if;
  end if;
  return (event, app.task_full(v_task, v_project.rules), v_project.rules -> 'triggers')::app.applied;
end
$$;
