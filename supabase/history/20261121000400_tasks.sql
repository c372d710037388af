-- Tasks: units of work that one agent at a time may hold, in the order that their dependencies allow.

create function app.priority_rank(priority text) returns smallint language sql immutable as $$
  select (case priority when 'critical' then 0 when 'high' then 1 when 'medium' then 2 else 3 end)::smallint
$$;

create table public.tasks (
  tenant_id uuid not null,
  id uuid not null,
  project_id uuid not null,
  user_id uuid not null references public.users,
  created_by text not null,
  number integer not null check (number > 0),
  ref text not null,
  title text not null,
  description text not null default '',
  acceptance_criteria text[] not null default '{}',
  constraints jsonb not null default '{}',
  dependencies uuid[] not null default '{}',
  parent_id uuid,
  discovered_from uuid,
  status text not null check (status in ('pending', 'in_progress', 'blocked', 'completed', 'cancelled')),
  priority text not null check (priority in ('low', 'medium', 'high', 'critical')),
  open_dependencies integer not null default 0 check (open_dependencies >= 0),
  blocked_reason text,
  blocked_by uuid,
  warning text,
  locked_at timestamptz,
  locked_by text,
  locked_by_user uuid,
  lock_token bigint,
  attempts integer not null default 0,
  last_outcome text,
  last_reason text,
  last_agent text,
  summary text,
  evidence jsonb not null default '[]',
  approved_at timestamptz,
  completed_at timestamptz,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, project_id, number),
  foreign key (tenant_id, project_id) references public.projects,
  check ((status = 'in_progress') = (lock_token is not null)),
  check ((status = 'in_progress') = (locked_by is not null)),
  check ((status = 'blocked') = (blocked_reason is not null)),
  check ((status = 'completed') = (completed_at is not null))
) with (fillfactor = 80);
create index idx_tasks_status on public.tasks (status);
create index idx_tasks_locked_at on public.tasks (locked_at) where locked_at is not null;
create index idx_tasks_priority on public.tasks (priority);
create index idx_tasks_ready on public.tasks (tenant_id, project_id, app.priority_rank(priority), number)
  where status = 'pending' and open_dependencies = 0;
create index idx_tasks_project_status on public.tasks (tenant_id, project_id, status, number);
create index idx_tasks_parent on public.tasks (tenant_id, parent_id) where parent_id is not null;

-- Who waits for whom: the edges of tasks.dependencies, so that dependents are found by an index.
create table app.task_dependencies (
  tenant_id uuid not null,
  task_id uuid not null,
  depends_on uuid not null,
  primary key (tenant_id, task_id, depends_on),
  foreign key (tenant_id, task_id) references public.tasks
);
create index idx_task_dependencies_depends_on on app.task_dependencies (tenant_id, depends_on);

-- Live locks and how long they hold. Operation, not state: extended without an event, no part of a rebuild. A task in
-- progress without a row here (after an import) is taken to be held for an hour from its claim.
create table public.task_leases (
  tenant_id uuid not null,
  task_id uuid not null,
  project_id uuid not null,
  lock_token bigint not null,
  ttl_seconds integer not null check (ttl_seconds between 1 and 86400),
  expires_at timestamptz not null,
  primary key (tenant_id, task_id)
) with (fillfactor = 50);
create index idx_task_leases_expires_at on public.task_leases (tenant_id, project_id, expires_at);

-- The allowed moves: an event of this type, from this status, leads to that one.
create table app.task_moves (
  event_type text not null,
  from_status text not null,
  to_status text not null,
  primary key (event_type, from_status)
);
insert into app.task_moves (event_type, from_status, to_status) values
  ('task.claimed', 'pending', 'in_progress'), ('task.claimed', 'in_progress', 'in_progress'),
  ('task.released', 'in_progress', 'pending'), ('task.lock_broken', 'in_progress', 'pending'),
  ('task.blocked', 'pending', 'blocked'), ('task.blocked', 'in_progress', 'blocked'), ('task.unblocked', 'blocked', 'pending'),
  ('task.completed', 'in_progress', 'completed'),
  ('task.cancelled', 'pending', 'cancelled'), ('task.cancelled', 'in_progress', 'cancelled'), ('task.cancelled', 'blocked', 'cancelled'),
  ('task.reopened', 'completed', 'pending'), ('task.reopened', 'cancelled', 'pending');

select app.declare_event('task.created', 'project:ref:80', 'title!:line:300', 'description:text:20000',
  'acceptance_criteria:text[]:50', 'constraints:object:16384', 'dependencies:ref[]:100', 'parent:ref:80', 'discovered_from:ref:80', 'priority:one_of:low|medium|high|critical');
select app.declare_event('task.updated', 'title:line:300', 'description:text:20000', 'acceptance_criteria:text[]:50', 'constraints:object:16384',
  'priority:one_of:low|medium|high|critical', 'parent:ref:80');
select app.declare_event('task.dependencies_changed', 'add:ref[]:100', 'remove:ref[]:100');
select app.declare_event('task.claimed', 'ttl_seconds!:integer:86400', 'take_over:boolean');
select app.declare_event('task.released', 'outcome!:one_of:paused|failed', 'reason!:text:4000');
select app.declare_event('task.lock_broken', 'reason!:text:4000');
select app.declare_event('task.blocked', 'reason!:text:4000', 'dependency:ref:80');
select app.declare_event('task.unblocked', 'reason:text:4000');
select app.declare_event('task.completed', 'summary:text:10000', 'evidence:array:400000');
select app.declare_event('task.cancelled', 'reason!:text:4000');
select app.declare_event('task.reopened', 'reason!:text:4000');
select app.declare_event('task.warned', 'dependency!:ref:80', 'reason!:text:4000');
update app.event_types set internal = true where event_type = 'task.warned';
select app.declare_event('task.approved', 'note:text:4000');
select app.declare_event('task.noted', 'text!:text:20000', 'kind!:one_of:note|question|answer|progress|risk', 'answers:ref:80');

-- The id of the task that a ref (web-12) or uuid names. Raises not_found.
create function app.find_task_id(ref text, tenant_id uuid)
  returns uuid
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_id uuid := app.as_uuid(ref);
  v_number text := substring(ref from '-([0-9]{1,9})$');
begin
  if v_id is not null then
    select t.id into v_id from public.tasks t where t.tenant_id = find_task_id.tenant_id and t.id = v_id;
  elsif v_number is not null then
    select t.id into v_id from public.projects p join public.tasks t on t.tenant_id = p.tenant_id and t.project_id = p.id
      where p.tenant_id = find_task_id.tenant_id and p.slug = lower(left(find_task_id.ref, -1 - length(v_number))) and t.number = v_number::integer;
  end if;
  if v_id is null then
    perform app.fail('not_found', format('There is no task %s in this workspace.', left(ref, 80)), jsonb_build_object('task', left(ref, 80)),
      'list_tasks shows the refs there are (web-12).');
  end if;
  return v_id;
end
$$;

create function app.find_task(ref text, tenant_id uuid)
  returns public.tasks
  language plpgsql
  stable
  set search_path = ''
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

create function app.lease_expires_at(task public.tasks)
  returns timestamptz
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if task.lock_token is null then
    return null;
  end if;
  return coalesce((select l.expires_at from public.task_leases l
    where l.tenant_id = task.tenant_id and l.task_id = task.id and l.lock_token = task.lock_token), task.locked_at + interval '1 hour');
end
$$;

-- The one place that decides whether work on a task may start, and says why not. Empty means ready.
create function app.waiting_for(task public.tasks)
  returns text[]
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_expires timestamptz;
begin
  case task.status
    when 'pending' then
      if task.open_dependencies = 0 then
        return '{}';
      end if;
      return array(select format('%s (%s): %s', d.ref, d.status, d.title) from public.tasks d
        where d.tenant_id = task.tenant_id and d.id = any (task.dependencies) and d.status <> 'completed' order by d.number limit 10);
    when 'in_progress' then
      v_expires := app.lease_expires_at(task);
      if v_expires <= app.now() then
        return '{}';
      end if;
      return array[format('held by %s until %s', task.locked_by, to_char(v_expires at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))];
    when 'blocked' then return array['blocked: ' || task.blocked_reason];
    else return array['it is ' || task.status];
  end case;
end
$$;
