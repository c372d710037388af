-- The projection of tasks: how events change a task and the rows beside it.

create or replace function app.text_list(value jsonb)
  returns text[]
  language plpgsql
  immutable
as $$
begin
  if value is null then
    return '{}';
  end if;
  return array(select x from jsonb_array_elements_text(value) with ordinality e (x, at) order by at);
end
$$;

create or replace function app.unlock_task(task public.tasks, status text)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  task.status := status;
  task.locked_at := null;
  task.locked_by := null;
  task.locked_by_user := null;
  task.lock_token := null;
  task.blocked_reason := null;
  task.blocked_by := null;
  task.completed_at := null;
  -- It waits for its review no longer.
  if task.last_outcome = 'submitted' then
    task.last_outcome := null;
    task.last_reason := null;
    task.last_agent := null;
  end if;
  return task;
end
$$;

-- The payload has people's text under the names of its columns, except the parent.
create or replace function app.evolve_task_text(task public.tasks, payload jsonb)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  task := jsonb_populate_record(task, payload);
  if payload ? 'parent' then
    task.parent_id := (payload ->> 'parent')::uuid;
  end if;
  if payload ->> 'reviewer' = '' then
    task.reviewer := null;
  end if;
  if payload ? 'labels' then
    task.labels := app.merge_labels(task.labels);
  end if;
  return task;
end
$$;

create or replace function app.evolve_new_task(event public.events)
  returns public.tasks
  language plpgsql
  immutable
as $$
declare
  v_task public.tasks;
begin
  v_task.tenant_id := event.tenant_id;
  v_task.id := app.stream_id(event.stream);
  v_task.project_id := event.project_id;
  v_task.user_id := event.user_id;
  v_task.created_by := app.actor_name(event);
  v_task.created_at := event.created_at;
  v_task.status := 'pending';
  v_task.priority := 'medium';
  v_task.description := '';
  v_task.acceptance_criteria := '{}';
  v_task.constraints := '{}';
  v_task.labels := '{}';
  v_task.dependencies := '{}';
  -- Counts all of them. Which are completed does not depend on this stream: see count_open_dependencies.
  v_task.open_dependencies := coalesce(jsonb_array_length(event.payload -> 'dependencies'), 0);
  v_task.open_parts := 0;
  v_task.attempts := 0;
  v_task.evidence := '[]';
  return app.evolve_task_text(v_task, event.payload);
end
$$;

create or replace function app.evolve_review(task public.tasks, event public.events)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  task := app.unlock_task(task, case event.event_type when 'task.returned' then 'pending' else 'blocked' end);
  task.last_agent := app.actor_name(event);
  if event.event_type = 'task.returned' then
    task.last_outcome := 'changes_requested';
    task.last_reason := event.payload ->> 'reason';
    return task;
  end if;
  task.blocked_reason := format('It was submitted, and waits for review by %s.',
    case when task.reviewer is null then 'a person' else app.quoted_name(task.reviewer) end);
  task.last_outcome := 'submitted';
  task.last_reason := event.payload ->> 'summary';
  task.summary := event.payload ->> 'summary';
  task.evidence := coalesce(event.payload -> 'evidence', '[]');
  return task;
end
$$;

-- Evolve turns an event into the next state. It never refuses and reads nothing else: the event has happened.
create or replace function app.evolve_task(task public.tasks, event public.events)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  case event.event_type
    when 'task.created' then task := app.evolve_new_task(event);
    when 'task.claimed' then
      task.status := 'in_progress';
      task.locked_at := event.created_at;
      task.locked_by := app.actor_name(event);
      task.locked_by_user := event.user_id;
      task.lock_token := event.version;
      task.warning := null;
      task.attempts := task.attempts + case when event.payload ? 'lapsed' then 1 else 0 end;
    when 'task.updated' then task := app.evolve_task_text(task, event.payload);
    when 'task.dependencies_changed' then task := app.evolve_dependencies(task, event.payload);
    when 'task.released' then
      task.last_outcome := event.payload ->> 'outcome';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := case when event.payload ? 'lapsed' then task.locked_by else app.actor_name(event) end;
      task := app.unlock_task(task, case when event.payload ? 'exhausted' then 'blocked' else 'pending' end);
      task.attempts := task.attempts + case task.last_outcome when 'failed' then 1 else 0 end;
      if event.payload ? 'exhausted' then
        task.blocked_reason := format(
          'It was given up %s, the most its project allows; a person decides. Last reason: %s',
          app.times(task.attempts), task.last_reason);
      end if;
    when 'task.lock_broken' then
      task.last_outcome := 'lock_broken';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := task.locked_by;
      task := app.unlock_task(task, 'pending');
    when 'task.blocked' then
      task := app.unlock_task(task, 'blocked');
      task.blocked_reason := event.payload ->> 'reason';
      task.blocked_by := (event.payload ->> 'dependency')::uuid;
    when 'task.unblocked' then
      task := app.unlock_task(task, 'pending');
      task.attempts := 0;
    when 'task.submitted', 'task.returned' then task := app.evolve_review(task, event);
    when 'task.completed' then
      task := app.unlock_task(task, 'completed');
      task.completed_at := event.created_at;
      task.summary := event.payload ->> 'summary';
      task.evidence := coalesce(event.payload -> 'evidence', '[]');
    when 'task.cancelled' then
      task := app.unlock_task(task, 'cancelled');
      task.last_outcome := 'cancelled';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := app.actor_name(event);
    when 'task.reopened' then
      task := app.unlock_task(task, 'pending');
      task.last_outcome := 'reopened';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := app.actor_name(event);
      task.approved_at := null;
    when 'task.warned' then task.warning := event.payload ->> 'reason';
    when 'task.approved' then task.approved_at := event.created_at;
    else end case;
  task.version := event.version;
  task.updated_at := event.created_at;
  return task;
end
$$;

-- Dropping the cancelled dependency that blocked a task settles the question: the task is free again.
create or replace function app.evolve_dependencies(task public.tasks, payload jsonb)
  returns public.tasks
  language plpgsql
  immutable
as $$
declare
  v_removed uuid[] := app.text_list(payload -> 'remove')::uuid[];
begin
  task.dependencies := array(
    select d from unnest(task.dependencies) with ordinality o (d, at)
    where d <> all (v_removed)
    union all
    select a from unnest(app.text_list(payload -> 'add')::uuid[]) a
    where a <> all (task.dependencies));
  if task.blocked_by = any (v_removed) then
    task := app.unlock_task(task, 'pending');
  end if;
  return task;
end
$$;

create or replace function app.write_task(task public.tasks, is_new boolean)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if is_new then
    insert into public.tasks select task.*;
    return;
  end if;
  update public.tasks t set (title, description, acceptance_criteria, constraints, dependencies, parent_id, status,
      priority, labels, rank, open_dependencies, blocked_reason, blocked_by, warning, locked_at, locked_by,
      locked_by_user, lock_token, attempts, last_outcome, last_reason, last_agent, summary, evidence, approved_at,
      reviewer, completed_at, version, updated_at)
    = (task.title, task.description, task.acceptance_criteria, task.constraints, task.dependencies, task.parent_id,
      task.status, task.priority, task.labels, task.rank, task.open_dependencies, task.blocked_reason, task.blocked_by,
      task.warning, task.locked_at, task.locked_by, task.locked_by_user, task.lock_token, task.attempts,
      task.last_outcome, task.last_reason, task.last_agent, task.summary, task.evidence, task.approved_at,
      task.reviewer, task.completed_at, task.version, task.updated_at)
    where t.tenant_id = task.tenant_id and t.id = task.id;
end
$$;

-- The second projection of tasks: the number of open dependencies, and edges. It is a pure function of the tasks
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

create or replace function app.write_edges(task public.tasks)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from app.task_dependencies e
    where e.tenant_id = task.tenant_id and e.task_id = task.id and e.depends_on <> all (task.dependencies);
  insert into app.task_dependencies (tenant_id, task_id, depends_on)
    select task.tenant_id, task.id, d from unnest(task.dependencies) d on conflict do nothing;
end
$$;

-- Moves a task of a project from one count to another; counts ready and unproven tasks beside their status.
create or replace function app.count_tasks(
  tenant_id uuid,
  project_id uuid,
  was text,
  becomes text,
  was_ready integer,
  ready integer,
  unproven integer default 0
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update app.task_counts c set
    ready = c.ready + count_tasks.ready - was_ready,
    pending = c.pending + (becomes = 'pending')::integer - coalesce((was = 'pending')::integer, 0),
    in_progress = c.in_progress + (becomes = 'in_progress')::integer - coalesce((was = 'in_progress')::integer, 0),
    blocked = c.blocked + (becomes = 'blocked')::integer - coalesce((was = 'blocked')::integer, 0),
    completed = c.completed + (becomes = 'completed')::integer - coalesce((was = 'completed')::integer, 0),
    cancelled = c.cancelled + (becomes = 'cancelled')::integer - coalesce((was = 'cancelled')::integer, 0),
    unproven = c.unproven + count_tasks.unproven
  where c.tenant_id = count_tasks.tenant_id and c.project_id = count_tasks.project_id;
end
$$;

-- Frees the dependents of a completed task and holds back those of a reopened one.
create or replace function app.free_dependents(task public.tasks, difference integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ready integer;
begin
  with changed as (
    update public.tasks d set open_dependencies = d.open_dependencies + difference
    from app.task_dependencies e
    where e.tenant_id = task.tenant_id and e.depends_on = task.id and d.tenant_id = e.tenant_id and d.id = e.task_id
    returning d.status, d.open_dependencies, d.open_parts)
  select coalesce(sum(case
    when c.open_dependencies = 0 then 1
    when c.open_dependencies = difference then -1
    else 0 end), 0)
  into v_ready
  from changed c
  where c.status = 'pending' and c.open_parts = 0;
  if v_ready <> 0 then
    perform app.count_tasks(task.tenant_id, task.project_id, 'pending', 'pending', 0, v_ready);
  end if;
end
$$;

-- Keeps the lease in step with the lock: a claim starts it, the holder's calls extend it, the end of the lock removes
-- it.
create or replace function app.keep_lease(was public.tasks, task public.tasks, event public.events, expect jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_lease public.leases;
begin
  if event.event_type = 'task.claimed' then
    -- The guard has judged whether it may be taken.
    v_lease.tenant_id := task.tenant_id;
    v_lease.kind := 'task';
    v_lease.id := task.id;
    v_lease.project_id := task.project_id;
    v_lease.token := task.lock_token;
    v_lease.holder := task.locked_by;
    v_lease.ttl_seconds := (event.payload ->> 'ttl_seconds')::integer;
    perform app.take_lease(v_lease, event.created_at, true);
  elsif was.status = 'in_progress' and task.status <> 'in_progress' then
    delete from public.leases l where l.tenant_id = task.tenant_id and l.kind = 'task' and l.id = task.id;
  elsif expect ->> 'lock_token' is not null then
    perform app.renew_lease(task, event.created_at);
  end if;
end
$$;

-- Extends the lease. A caller with the token has the lock; the process that took it keeps it until it ends.
create or replace function app.renew_lease(task public.tasks, at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform app.extend_lease(task.tenant_id, 'task', task.id, task.lock_token, at, task.locked_by_user);
end
$$;

-- Tells whether the holder repeats a release or completion that succeeded before, with the same token. A completion may
-- have been a submission.
create or replace function app.is_repeat(task public.tasks, event public.events, expect jsonb)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if event.event_type not in ('task.released', 'task.completed')
      or task.status = 'in_progress'
      or expect ->> 'lock_token' is null then
    return false;
  end if;
  return exists (
    select from public.events e
    where e.tenant_id = event.tenant_id
      and e.stream = event.stream
      and e.version > (expect ->> 'lock_token')::bigint
      and e.event_type in (event.event_type, case event.event_type when 'task.completed' then 'task.submitted' end)
      and e.payload ->> 'lock_token' = expect ->> 'lock_token'
      and e.actor = event.actor);
end
$$;

create or replace function app.task_text(task public.tasks)
  returns text
  language sql
  stable
as $$
  select concat_ws(' ', task.ref, task.title, task.description, array_to_string(task.acceptance_criteria, ' '),
    array_to_string(task.labels, ' '))
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
  if app.is_submission(v_was, v_project.rules, event) then
    event.event_type := 'task.submitted';
  end if;
  event.payload := app.prepare_task(v_was, event, v_project);
  perform app.guard_task(v_was, event, expect, v_project, actor.role);
  perform app.check_text_version(v_was, event, expect);
  event.version := app.next_version(v_was.version, expect, 'task');
  if (event.payload ->> 'parent')::uuid <> coalesce(v_was.parent_id, app.get_nil_id()) then
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
  perform app.count_part(v_was, v_task);
  if v_was.lock_token is not null or v_task.lock_token is not null then
    perform app.keep_lease(v_was, v_task, event, expect);
  end if;
  if event.event_type in ('task.created', 'task.updated') then
    perform app.index_task(v_task);
  end if;
  if (v_was.status, v_was.open_dependencies, app.is_unproven(v_was))
      is distinct from (v_task.status, v_task.open_dependencies, app.is_unproven(v_task)) then
    perform app.count_tasks(v_task.tenant_id, v_task.project_id, v_was.status, v_task.status,
      coalesce(app.is_ready(v_was), 0), app.is_ready(v_task), app.is_unproven(v_task) - app.is_unproven(v_was));
    if (coalesce(v_was.status, '') = 'completed') <> (v_task.status = 'completed') then
      perform app.free_dependents(v_task, case when v_task.status = 'completed' then -1 else 1 end);
    end if;
  end if;
  return (event, app.task_full(v_task, v_project.rules), v_project.rules -> 'triggers')::app.applied;
end
$$;

-- These find tasks by their keys and dependencies, each looked up by itself. Otherwise a cached plan from a small
-- workspace would read all of its tasks for a few.
create or replace function app.tasks_with(tenant_id uuid, ids uuid[])
  returns setof public.tasks
  language sql
  stable
as $$
  select t.*
  from unnest(ids) i
  cross join lateral (select x.* from public.tasks x where x.tenant_id = tasks_with.tenant_id and x.id = i offset 0) t
$$;

create or replace function app.dependents_of(tenant_id uuid, task_id uuid) returns setof uuid language sql stable as $$
  select e.task_id from app.task_dependencies e
  where e.tenant_id = dependents_of.tenant_id and e.depends_on = dependents_of.task_id offset 0
$$;

-- Lists some tasks and all their dependencies, each once and after the one that led to it.
create or replace function app.reached_tasks(tenant_id uuid, start uuid[])
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

-- Lists tasks by rank within their priority; returns the total of those that became ready if not all are named.
create or replace function app.freed_by(events public.events[])
  returns jsonb
  language sql
  stable
as $$
  with ended as (
    select e.tenant_id, e.task_id
    from unnest(events) e
    where e.event_type in ('task.completed', 'task.cancelled')),
  after as (
    select e.tenant_id, d.id
    from ended e
    cross join lateral app.dependents_of(e.tenant_id, e.task_id) d (id)
    union
    select e.tenant_id, t.parent_id
    from ended e
    join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id),
  freed as (
    select t.ref, row_number() over (order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number) as place
    from after a
    join public.tasks t on t.tenant_id = a.tenant_id and t.id = a.id
    where app.is_ready(t) = 1)
  select jsonb_strip_nulls(jsonb_build_object(
    'freed', jsonb_agg(f.ref order by f.place) filter (where f.place <= 20),
    'freed_total', case when count(*) > 20 then count(*) end))
  from freed f
$$;

-- Shows a task that a search has found.
create or replace function app.found_task(task public.tasks)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'ref', task.ref, 'title', task.title, 'at', task.updated_at, 'by', task.created_by,
    'unproven', app.list_unproven(task),
    'body', concat_ws(' ', task.title, task.description, array_to_string(task.acceptance_criteria, ' '),
      array_to_string(task.labels, ' '))));
end
$$;

-- Open dependencies and open parts are no matter of one stream: rebuild_links counts them.
select app.define_category('task', 'tasks', kept => '{open_dependencies,open_parts}', own_apply => true);
