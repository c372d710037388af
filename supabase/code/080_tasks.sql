-- Finding tasks, their leases, and whether they are ready.

-- Finds the id of the task that a ref (web-12) or uuid names. Raises not_found.
create or replace function app.find_task_id(ref text, tenant_id uuid)
  returns uuid
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid := app.as_uuid(ref);
  v_number text := substring(ref from '-([0-9]{1,9})$');
begin
  if v_id is not null then
    select t.id into v_id from public.tasks t where t.tenant_id = find_task_id.tenant_id and t.id = v_id;
  elsif v_number is not null then
    select t.id into v_id
      from public.projects p
      join public.tasks t on t.tenant_id = p.tenant_id and t.project_id = p.id
      where p.tenant_id = find_task_id.tenant_id
        and p.slug = lower(left(find_task_id.ref, -1 - length(v_number)))
        and t.number = v_number::integer;
  end if;
  if v_id is null then
    perform app.fail('not_found', format('There is no task %s in this workspace.', left(ref, 80)),
      jsonb_build_object('task', left(ref, 80)), 'list_tasks shows the refs there are (web-12).');
  end if;
  return v_id;
end
$$;

create or replace function app.find_task(ref text, tenant_id uuid)
  returns public.tasks
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  -- Not inside the query: where there is no row to compare with it would not be called, and not raise.
  v_id uuid := app.find_task_id(find_task.ref, find_task.tenant_id);
  v_task public.tasks;
begin
  select * into v_task from public.tasks t where t.tenant_id = find_task.tenant_id and t.id = v_id;
  return v_task;
end
$$;

create or replace function app.lease_expires_at(task public.tasks)
  returns timestamptz
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if task.lock_token is null then
    return null;
  end if;
  return coalesce((
      select l.expires_at from public.leases l
      where l.tenant_id = task.tenant_id and l.kind = 'task' and l.id = task.id and l.token = task.lock_token),
    task.locked_at + interval '1 hour');
end
$$;

-- Lists what keeps a task from being claimed by its ref. app.is_claimable decides for claims without a ref.
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

create or replace function app.is_ready(task public.tasks) returns integer language sql immutable as $$
  select (coalesce(task.status, '') = 'pending'
    and task.open_dependencies = 0
    and coalesce(task.open_parts, 0) = 0)::integer
$$;

-- Tells whether a task waits for who checks it.
create or replace function app.is_submitted(task public.tasks) returns boolean language sql immutable
  return task.status = 'blocked' and task.last_outcome is not distinct from 'submitted';

-- Returns the parent of which a task is an open part.
create or replace function app.open_part_of(task public.tasks) returns uuid language sql immutable
  return case when task.status not in ('completed', 'cancelled') then task.parent_id end;

-- Tells whether a claim without a named task may take this one; `expires_at` is the end of a current claim, past or
-- future.
create or replace function app.is_claimable(task public.tasks, expires_at timestamptz)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if task.status <> 'in_progress' then
    return app.is_ready(task) = 1;
  elsif expires_at > app.now() or coalesce(task.open_parts, 0) > 0 then
    return false;
  end if;
  -- Given up as often as its project allows, the next claim blocks it.
  return task.attempts + 1 < coalesce((select (p.rules ->> 'attempts_max')::integer from public.projects p
    where p.tenant_id = task.tenant_id and p.id = task.project_id), 2147483647);
end
$$;

-- Lists tasks of a project whose claims have lapsed, and that another may take.
create or replace function app.lapsed_tasks(project public.projects)
  returns setof public.tasks
  language sql
  stable
as $$
  select t.* from public.leases l
    cross join lateral (
      select x.* from public.tasks x
      where x.tenant_id = l.tenant_id and x.id = l.id and x.lock_token = l.token offset 0) t
  where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id and l.expires_at <= app.now()
    and t.status = 'in_progress' and app.is_claimable(t, l.expires_at)
$$;

-- Adjusts the counts of open parts of a task's old and new parent, if they changed.
create or replace function app.count_part(was public.tasks, task public.tasks) returns void language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_change record;
  v_ready integer;
begin
  if app.open_part_of(was) is not distinct from app.open_part_of(task) then
    return;
  end if;
  for v_change in select c.parent_id, c.step
      from (values (app.open_part_of(was), -1), (app.open_part_of(task), 1)) c (parent_id, step)
      where c.parent_id is not null
      order by c.parent_id loop
    with changed as (
      update public.tasks t set open_parts = t.open_parts + v_change.step
        where t.tenant_id = task.tenant_id and t.id = v_change.parent_id
        returning t.status, t.open_dependencies, t.open_parts)
    select case when c.open_parts = 0 then 1 when c.open_parts = v_change.step then -1 else 0 end into v_ready
      from changed c where c.status = 'pending' and c.open_dependencies = 0;
    if v_ready <> 0 then
      perform app.count_tasks(task.tenant_id, task.project_id, 'pending', 'pending', 0, v_ready);
    end if;
  end loop;
end
$$;

-- Lists tasks whose stored count of open parts is wrong.
create or replace function app.miscounted_parts(tenant_id uuid) returns table (id uuid, live integer, log integer)
  language sql stable as $$
  select t.id, t.open_parts, coalesce(p.n, 0)
  from public.tasks t left join (
    select c.parent_id, count(*)::integer as n from public.tasks c
    where c.tenant_id = miscounted_parts.tenant_id and app.open_part_of(c) is not null group by c.parent_id) p
    on p.parent_id = t.id
  where t.tenant_id = miscounted_parts.tenant_id and t.open_parts is distinct from coalesce(p.n, 0)
$$;
