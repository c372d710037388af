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

-- What a move still needs by the project's gates; `event` is null when asked ahead of time. Empty means nothing.
create function app.unmet_gates(task public.tasks, rules jsonb, move text, event public.events)
  returns text[]
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_require jsonb;
  v_missing text[] := '{}';
begin
  for v_require in select g -> 'require' from jsonb_array_elements(rules -> 'gates') g
      where g ->> 'on' = move and app.meets(g -> 'when', event.payload, task.priority) loop
    v_missing := v_missing
      || array(select format('an artifact of type %s (add_artifact)', r.type) from jsonb_array_elements_text(v_require -> 'artifacts') with ordinality r (type, at)
           where not exists (select from public.artifacts x where x.tenant_id = task.tenant_id and x.task_id = task.id and x.type = r.type) order by r.at)
      || case when v_require ? 'evidence' then app.missing_evidence(task, v_require ->> 'evidence', event.payload -> 'evidence') else '{}' end
      || case when v_require ? 'decision' and not exists (select from public.decisions d where d.tenant_id = task.tenant_id and d.task_id = task.id)
           then array['a decision for this task (record_decision with task)'] else '{}' end
      || case when v_require ? 'approval' and task.approved_at is null then array[format('approval by a person (cairn approve %s)', task.ref)] else '{}' end
      || case when v_require ? 'clean_scope' and not app.is_scope_clean(task, rules)
           then array['a diff artifact naming its files, all in scope (add_artifact type diff, files)'] else '{}' end;
  end loop;
  return v_missing;
end
$$;

-- Does the task's last diff name its files, and is each in the scope as it is now?
create function app.is_scope_clean(task public.tasks, rules jsonb)
  returns boolean
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_files text[] := (select x.files from public.artifacts x
    where x.tenant_id = task.tenant_id and x.task_id = task.id and x.type = 'diff' order by x.created_at desc, x.id desc limit 1);
begin
  return cardinality(v_files) > 0 is true and app.out_of_scope(app.effective_scope(rules, task.constraints), v_files) is null;
end
$$;

-- Refuses a move that the status does not allow, and says which are allowed.
create function app.check_move(task public.tasks, event_type text)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_allowed text[];
begin
  if exists (select from app.task_moves m where m.event_type = check_move.event_type and m.from_status = task.status) then
    return;
  elsif not exists (select from app.task_moves m where m.event_type = check_move.event_type) then
    return;
  end if;
  v_allowed := array(select replace(m.event_type, 'task.', '') from app.task_moves m where m.from_status = task.status order by 1);
  perform app.fail('illegal_transition', format('Task %s is %s; it cannot be %s.', task.ref, task.status, replace(event_type, 'task.', '')),
    jsonb_strip_nulls(jsonb_build_object('status', task.status, 'allowed', v_allowed, 'blocked_reason', task.blocked_reason)),
    case when event_type = 'task.completed' then 'Claim it first with claim_task, then complete it with the lock_token.'
      else format('From %s it can be %s.', task.status, array_to_string(v_allowed, ', ')) end);
end
$$;

-- Refuses who does not hold the task. A token must be the live one; without a token, nobody else may hold the task.
create function app.check_holder(task public.tasks, event public.events, expect jsonb, expires_at timestamptz, role text)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_token text := expect ->> 'lock_token';
begin
  if v_token is not null then
    if task.lock_token is null or v_token <> task.lock_token::text or expires_at <= event.created_at then
      perform app.fail('lock_lost', format('You no longer hold task %s: the lock_token %s is not the live one.', task.ref, left(v_token, 20)),
        jsonb_strip_nulls(jsonb_build_object('status', task.status, 'locked_by', task.locked_by)),
        'Stop work on it: another agent may have taken over. get_task shows its state; claim_task takes it again if it is free.');
    end if;
  elsif task.status = 'in_progress' and event.actor ->> 'agent' is null and app.role_rank(role) >= 3 then
    return;
  elsif task.status = 'in_progress' and expires_at <= event.created_at and event.event_type in ('task.released', 'task.completed') then
    -- Leaving the token out must not do what the token no longer does.
    perform app.fail('lock_lost', format('Nobody holds task %s any more: the lock of %s expired.', task.ref, task.locked_by),
      jsonb_build_object('status', task.status, 'locked_by', task.locked_by), 'Claim it with claim_task, then pass the lock_token.');
  elsif task.status = 'in_progress' and expires_at > event.created_at then
    perform app.fail('lock_held', format('Task %s is held by %s.', task.ref, task.locked_by),
      jsonb_build_object('locked_by', task.locked_by, 'locked_until', expires_at),
      'If that is you, pass the lock_token that claim_task returned. Otherwise leave a note with record_event, or claim another task.');
  end if;
end
$$;

create function app.guard_claim(task public.tasks, event public.events, rules jsonb, expires_at timestamptz)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_own boolean := task.locked_by_user = event.user_id
    and (task.locked_by = app.by(event) or coalesce((event.payload ->> 'take_over')::boolean, false));
  v_waiting text[];
begin
  if task.status = 'in_progress' and expires_at > event.created_at and not v_own then
    perform app.fail('lock_held', format('Task %s is held by %s.', task.ref, task.locked_by),
      jsonb_build_object('locked_by', task.locked_by, 'locked_until', expires_at),
      'Claim another ready task (claim_task without task), or wait until the lock expires. If that was you under another name, pass take_over: true.');
  end if;
  if task.status = 'pending' then
    v_waiting := app.waiting_for(task);
    if cardinality(v_waiting) > 0 then
      perform app.fail('illegal_transition', format('Task %s is not ready: it waits for %s.', task.ref, array_to_string(v_waiting, '; ')),
        jsonb_build_object('waiting_for', v_waiting), 'Claim what it waits for, or claim_task without task for the next ready one.');
    end if;
  end if;
  if rules ? 'gates' then
    perform app.check_gates(task, rules, 'claim', event);
  end if;
end
$$;

create function app.check_gates(task public.tasks, rules jsonb, move text, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_missing text[] := app.unmet_gates(task, rules, move, event);
begin
  if cardinality(v_missing) > 0 then
    perform app.fail('gate_unmet', format('Task %s cannot %s yet. Missing: %s.', task.ref, move, array_to_string(v_missing, '; ')),
      jsonb_build_object('missing', v_missing), 'Provide what is missing, then repeat the call.');
  end if;
end
$$;

create function app.guard_new_task(task public.tasks, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_ref text;
begin
  if task.id is not null then
    perform app.fail('already_exists', format('The task %s exists.', task.ref));
  end if;
  if event.payload ? 'dependencies' then
    select d.ref into v_ref from public.tasks d where d.tenant_id = event.tenant_id
      and d.id = any (array(select app.as_uuid(x) from jsonb_array_elements_text(event.payload -> 'dependencies') x)) and d.status = 'cancelled' limit 1;
  end if;
  if v_ref is not null then
    perform app.fail('invalid_input', format('%s is cancelled: a task that depends on it could never start.', v_ref),
      jsonb_build_object('field', 'dependencies'), 'Leave it out, or reopen it first.');
  end if;
end
$$;

-- The dependencies that lead from a task back to itself, as a path of refs, or null. Breadth first, each task once.
create function app.find_cycle(task public.tasks, added uuid[])
  returns text
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_reached_from jsonb;
  v_frontier uuid[] := added;
  v_path text := task.ref;
  v_step text := task.id;
begin
  select coalesce(jsonb_object_agg(a, task.id), '{}') into v_reached_from from unnest(added) a;
  while cardinality(v_frontier) > 0 and not v_reached_from ? task.id::text loop
    with next as (
      select distinct on (e.depends_on) e.depends_on, e.task_id from app.task_dependencies e
      where e.tenant_id = task.tenant_id and e.task_id = any (v_frontier) and not v_reached_from ? e.depends_on::text)
    select array_agg(n.depends_on), v_reached_from || coalesce(jsonb_object_agg(n.depends_on, n.task_id), '{}')
      into v_frontier, v_reached_from from next n;
  end loop;
  if not v_reached_from ? task.id::text then
    return null;
  end if;
  loop
    v_step := v_reached_from ->> v_step;
    v_path := (select t.ref from public.tasks t where t.tenant_id = task.tenant_id and t.id = v_step::uuid) || ' → ' || v_path;
    exit when v_step = task.id::text;
  end loop;
  return v_path;
end
$$;

create function app.check_evidence(task public.tasks, evidence jsonb)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_item jsonb;
begin
  for v_at in 0 .. jsonb_array_length(evidence) - 1 loop
    v_item := evidence -> v_at;
    if jsonb_typeof(v_item) <> 'object' or not app.fits(coalesce(v_item -> 'criterion', 'null'), 'integer', cardinality(task.acceptance_criteria), null)
        or v_item -> 'criterion' = '0' or v_item - '{criterion,note,artifact}'::text[] <> '{}' then
      perform app.fail('invalid_input', format('Evidence names a criterion from 1 to %s of task %s, with a note or an artifact.', cardinality(task.acceptance_criteria), task.ref),
        jsonb_build_object('field', 'evidence'), 'get_task shows the criteria in order.');
    end if;
    if not (v_item ? 'note' or v_item ? 'artifact') or v_item ? 'note' and not app.fits(v_item -> 'note', 'text', 4000, null) then
      perform app.fail('invalid_input', format('The evidence for criterion %s needs a note of at most 4000 characters or an artifact id.', v_item ->> 'criterion'),
        jsonb_build_object('field', 'evidence'));
    end if;
    if v_item ? 'artifact' then
      perform from public.artifacts a where a.tenant_id = task.tenant_id and a.task_id = task.id and a.id = app.as_uuid(v_item ->> 'artifact');
      if not found then
        perform app.fail('not_found', format('Task %s has no artifact %s.', task.ref, left(v_item ->> 'artifact', 80)), null, 'add_artifact returns the id to name here.');
      end if;
    end if;
  end loop;
end
$$;

create function app.check_dependencies(task public.tasks, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_added uuid[] := array(select x::uuid from jsonb_array_elements_text(event.payload -> 'add') x);
  v_other text;
begin
  if task.status in ('completed', 'cancelled') then
    perform app.fail('illegal_transition', format('Task %s is %s; its dependencies cannot change.', task.ref, task.status), null, 'Reopen it first.');
  end if;
  select d.ref into v_other from public.tasks d where d.tenant_id = task.tenant_id and d.id = any (v_added)
    and (d.status = 'cancelled' or d.project_id <> task.project_id) limit 1;
  if found then
    perform app.fail('invalid_input', format('%s cannot depend on %s: it is cancelled or of another project.', task.ref, v_other), jsonb_build_object('field', 'add_dependencies'));
  end if;
  if cardinality(task.dependencies) + cardinality(v_added) > 100 then
    perform app.fail('invalid_input', format('Task %s would have more than 100 dependencies.', task.ref), jsonb_build_object('field', 'add_dependencies'));
  end if;
  v_other := app.find_cycle(task, v_added);
  if v_other is not null then
    perform app.fail('dependency_cycle', format('That would make a cycle: %s.', v_other), jsonb_build_object('cycle', v_other), 'Each task waits for the one after it. Leave one of them out.');
  end if;
end
$$;

-- A task may only narrow its project's limits. (Paths need no check: a file must satisfy the task's list and the project's.)
create function app.check_constraints(constraints jsonb, rules jsonb)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_key text;
begin
  perform app.check_scope(constraints, 'constraints');
  foreach v_key in array array['files_max', 'lines_max'] loop
    if (constraints ->> v_key)::integer > (rules -> 'scope' ->> v_key)::integer then
      perform app.fail('invalid_input', format('constraints.%s is %s; the project allows at most %s.', v_key, constraints ->> v_key, rules -> 'scope' ->> v_key),
        jsonb_build_object('field', 'constraints.' || v_key), 'A task may narrow the project''s scope, not widen it.');
    end if;
  end loop;
end
$$;

-- Guards decide whether an event may happen now. They run under the stream's lock, before anything is recorded, and
-- are skipped when the read model is rebuilt.
create function app.guard_task(task public.tasks, event public.events, expect jsonb, project public.projects, role text)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_expires timestamptz := app.lease_expires_at(task);
begin
  if project.archived_at is not null then
    perform app.refuse_archived(project);
  end if;
  -- Whoever names a token learns at once that it is lost, whatever the call; a live one extends the lease.
  if expect ->> 'lock_token' is not null then
    perform app.check_holder(task, event, expect, v_expires, role);
  end if;
  case
    when event.event_type = 'task.noted' then
      null;
    when event.event_type = 'task.created' then
      perform app.guard_new_task(task, event);
    when event.event_type = 'task.claimed' then
      perform app.check_move(task, event.event_type);
      perform app.guard_claim(task, event, project.rules, v_expires);
    when event.event_type in ('task.released', 'task.completed', 'task.blocked', 'task.cancelled')
        or event.event_type = 'task.updated' and event.payload - 'priority' <> '{}' then
      if event.causation_id is null and expect ->> 'lock_token' is null then
        perform app.check_holder(task, event, expect, v_expires, role);
      end if;
      perform app.check_move(task, event.event_type);
    when event.event_type in ('task.lock_broken', 'task.approved', 'task.unblocked', 'task.reopened') then
      perform app.check_authority(task, event, project.rules, role);
      perform app.check_move(task, event.event_type);
    when event.event_type = 'task.dependencies_changed' then
      perform app.check_dependencies(task, event);
    else
      perform app.check_move(task, event.event_type);
  end case;
  if event.payload ? 'evidence' then
    perform app.check_evidence(task, event.payload -> 'evidence');
  end if;
  if project.rules ? 'gates' and event.event_type in ('task.completed', 'task.cancelled', 'task.reopened') then
    perform app.check_gates(task, project.rules,
      case event.event_type when 'task.completed' then 'complete' when 'task.cancelled' then 'cancel' else 'reopen' end, event);
  end if;
  if event.payload ? 'constraints' then
    perform app.check_constraints(event.payload -> 'constraints', project.rules);
  end if;
end
$$;

-- What no agent may do by holding a task: break another's lock, approve, go on after the last attempt.
create function app.check_authority(task public.tasks, event public.events, rules jsonb, role text)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if event.event_type = 'task.lock_broken' and app.role_rank(role) < 3 then
    perform app.fail('forbidden', 'Only an owner or admin of the workspace may break a lock.', null, 'Ask one, or wait until the lock expires.');
  elsif event.event_type = 'task.approved' and event.actor ->> 'agent' is not null then
    perform app.fail('forbidden', 'An approval is given by a person, not by an agent.', null, format('Ask a person to run: cairn approve %s', task.ref));
  elsif event.event_type in ('task.unblocked', 'task.reopened') and event.actor ->> 'agent' is not null
      and task.attempts >= (rules ->> 'attempts_max')::integer then
    perform app.fail('forbidden', format('Task %s was given up %s times, the most its project allows: a person decides whether it is tried again.', task.ref, task.attempts),
      null, format('Ask a person to run: cairn unblock %s', task.ref));
  end if;
end
$$;

-- What the door adds to an event before it is judged: ids for refs, the number, what the lock was.
create function app.prepare_task(task public.tasks, event public.events, project public.projects)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_payload jsonb := event.payload;
  v_key text;
  v_number integer;
begin
  if v_payload ?| '{dependencies,add,remove,parent,discovered_from,dependency}' then
    foreach v_key in array array['dependencies', 'add', 'remove'] loop
      if v_payload ? v_key then
        v_payload := jsonb_set(v_payload, array[v_key], coalesce((select jsonb_agg(distinct app.find_task_id(x, event.tenant_id))
          from jsonb_array_elements_text(v_payload -> v_key) x), '[]'));
      end if;
    end loop;
    foreach v_key in array array['parent', 'discovered_from', 'dependency'] loop
      if v_payload ->> v_key is not null then
        v_payload := jsonb_set(v_payload, array[v_key], to_jsonb(app.find_task_id(v_payload ->> v_key, event.tenant_id)));
      end if;
    end loop;
  end if;
  case event.event_type
    when 'task.noted' then v_payload := app.resolve_answer(event);
    when 'task.created' then
      select coalesce(max(t.number), 0) + 1 into v_number from public.tasks t where t.tenant_id = project.tenant_id and t.project_id = project.id;
      v_payload := v_payload - 'project' || jsonb_build_object('project_id', project.id, 'number', v_number, 'ref', project.slug || '-' || v_number);
    when 'task.claimed' then
      if task.status = 'in_progress' and app.lease_expires_at(task) <= event.created_at then
        v_payload := v_payload || '{"lapsed": true}';
      end if;
    when 'task.released' then
      v_payload := v_payload || jsonb_strip_nulls(jsonb_build_object('lock_token', task.lock_token,
        'lapsed', case when event.causation_id is not null then true end,
        'exhausted', case when v_payload ->> 'outcome' = 'failed' and task.attempts + 1 >= (project.rules ->> 'attempts_max')::integer then true end));
    when 'task.completed' then v_payload := v_payload || jsonb_strip_nulls(jsonb_build_object('lock_token', task.lock_token));
    else
  end case;
  return v_payload;
end
$$;

create function app.text_list(value jsonb)
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

create function app.unlock_task(task public.tasks, status text)
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
  return task;
end
$$;

-- What people write stands in the payload under the names of its columns, but for the parent.
create function app.evolve_task_text(task public.tasks, payload jsonb)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  task := jsonb_populate_record(task, payload);
  if payload ? 'parent' then
    task.parent_id := (payload ->> 'parent')::uuid;
  end if;
  return task;
end
$$;

create function app.evolve_new_task(event public.events)
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
  v_task.created_by := app.by(event);
  v_task.created_at := event.created_at;
  v_task.status := 'pending';
  v_task.priority := 'medium';
  v_task.description := '';
  v_task.acceptance_criteria := '{}';
  v_task.constraints := '{}';
  v_task.dependencies := '{}';
  -- As the plan is made. Which are completed is no matter of this stream: see count_open_dependencies.
  v_task.open_dependencies := coalesce(jsonb_array_length(event.payload -> 'dependencies'), 0);
  v_task.attempts := 0;
  v_task.evidence := '[]';
  return app.evolve_task_text(v_task, event.payload);
end
$$;

-- Evolve turns an event into the next state. It never refuses and reads nothing else: the event has happened.
create function app.evolve_task(task public.tasks, event public.events)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  case event.event_type
    when 'task.created' then task := app.evolve_new_task(event);
    when 'task.noted' then null;
    when 'task.claimed' then
      task.status := 'in_progress';
      task.locked_at := event.created_at;
      task.locked_by := app.by(event);
      task.locked_by_user := event.user_id;
      task.lock_token := event.version;
      task.warning := null;
      task.attempts := task.attempts + case when event.payload ? 'lapsed' then 1 else 0 end;
    when 'task.updated' then task := app.evolve_task_text(task, event.payload);
    when 'task.dependencies_changed' then task := app.evolve_dependencies(task, event.payload);
    when 'task.released' then
      task.last_outcome := event.payload ->> 'outcome';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := case when event.payload ? 'lapsed' then task.locked_by else app.by(event) end;
      task := app.unlock_task(task, case when event.payload ? 'exhausted' then 'blocked' else 'pending' end);
      task.attempts := task.attempts + case task.last_outcome when 'failed' then 1 else 0 end;
      if event.payload ? 'exhausted' then
        task.blocked_reason := format('It was given up %s times, the most its project allows; a person decides. Last reason: %s', task.attempts, task.last_reason);
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
    when 'task.completed' then
      task := app.unlock_task(task, 'completed');
      task.completed_at := event.created_at;
      task.summary := event.payload ->> 'summary';
      task.evidence := coalesce(event.payload -> 'evidence', '[]');
    when 'task.cancelled' then
      task := app.unlock_task(task, 'cancelled');
      task.last_outcome := 'cancelled';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := app.by(event);
    when 'task.reopened' then
      task := app.unlock_task(task, 'pending');
      task.last_outcome := 'reopened';
      task.last_reason := event.payload ->> 'reason';
      task.last_agent := app.by(event);
      task.approved_at := null;
    when 'task.warned' then task.warning := event.payload ->> 'reason';
    when 'task.approved' then task.approved_at := event.created_at;
    else
  end case;
  task.version := event.version;
  task.updated_at := event.created_at;
  return task;
end
$$;

-- Dropping the cancelled dependency that blocked a task decides the question: the task is free again.
create function app.evolve_dependencies(task public.tasks, payload jsonb)
  returns public.tasks
  language plpgsql
  immutable
as $$
declare
  v_removed uuid[] := app.text_list(payload -> 'remove')::uuid[];
begin
  task.dependencies := array(
    select d from unnest(task.dependencies) with ordinality o (d, at) where d <> all (v_removed)
    union all
    select a from unnest(app.text_list(payload -> 'add')::uuid[]) a where a <> all (task.dependencies));
  if task.blocked_by = any (v_removed) then
    task := app.unlock_task(task, 'pending');
  end if;
  return task;
end
$$;

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
