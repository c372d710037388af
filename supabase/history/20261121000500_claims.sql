-- Claiming and reading tasks: who may hold one, what is ready next, and what an agent is told of it.

create function app.task_brief(task public.tasks)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_until timestamptz;
  v_parent text;
begin
  if task.lock_token is not null then
    v_until := app.lease_expires_at(task);
  end if;
  if task.parent_id is not null then
    select p.ref into v_parent from public.tasks p where p.tenant_id = task.tenant_id and p.id = task.parent_id;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'ref', task.ref, 'title', task.title, 'status', task.status, 'priority', task.priority,
    'ready', task.status = 'pending' and task.open_dependencies = 0 or task.status = 'in_progress' and v_until <= app.now(),
    'locked_by', task.locked_by, 'locked_until', v_until,
    'open_dependencies', nullif(task.open_dependencies, 0), 'blocked_reason', left(task.blocked_reason, 300), 'warning', left(task.warning, 300),
    'attempts', nullif(task.attempts, 0), 'completed_at', task.completed_at,
    'parent', v_parent));
end
$$;

-- A task whole, but for its artifacts, timeline and dependents. What most tasks do not have costs no query.
create function app.task_full(task public.tasks, rules jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_task jsonb := app.task_brief(task) || jsonb_strip_nulls(jsonb_build_object(
    'id', task.id, 'project', left(task.ref, length(task.ref) - length(task.number::text) - 1), 'version', task.version,
    'description', nullif(task.description, ''), 'acceptance_criteria', to_jsonb(task.acceptance_criteria), 'dependencies', '[]'::jsonb,
    'constraints', nullif(task.constraints, '{}'), 'scope', case when rules ? 'scope' or task.constraints <> '{}' then app.effective_scope(rules, task.constraints) end, 'summary', task.summary,
    'last_outcome', task.last_outcome, 'last_reason', task.last_reason, 'last_agent', task.last_agent,
    'approved_at', task.approved_at, 'created_by', task.created_by, 'created_at', task.created_at, 'updated_at', task.updated_at));
begin
  if task.dependencies <> '{}' then
    v_task := v_task || jsonb_build_object('dependencies', (
      select jsonb_agg(jsonb_strip_nulls(jsonb_build_object('ref', d.ref, 'title', d.title, 'status', d.status, 'outcome', left(d.summary, 500))) order by d.number)
      from public.tasks d where d.tenant_id = task.tenant_id and d.id = any (task.dependencies)));
  end if;
  if task.discovered_from is not null then
    v_task := v_task || jsonb_strip_nulls(jsonb_build_object('discovered_from', (
      select d.ref from public.tasks d where d.tenant_id = task.tenant_id and d.id = task.discovered_from)));
  end if;
  if task.evidence <> '[]' then
    v_task := v_task || jsonb_build_object('evidence', (
      select jsonb_agg(jsonb_strip_nulls(to_jsonb(g) || jsonb_build_object('stale', nullif(g.stale, false)))) from app.graded_evidence(task, task.evidence) g));
  end if;
  if task.status = 'pending' and task.open_dependencies > 0 then
    v_task := v_task || jsonb_build_object('waiting_for', app.waiting_for(task));
  end if;
  return v_task;
end
$$;

create function app.dependents(task public.tasks)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return (select coalesce(jsonb_agg(jsonb_build_object('ref', d.ref, 'title', d.title, 'status', d.status) order by d.number), '[]') from (
    select t.* from app.task_dependencies e join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id
    where e.tenant_id = task.tenant_id and e.depends_on = task.id order by t.number limit 20) d);
end
$$;

create function app.tasks_by_status(project public.projects, status text, size integer)
  returns setof public.tasks
  language sql
  stable
as $$
  select t.* from public.tasks t where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = tasks_by_status.status
    order by t.number limit size
$$;

create function app.ready_tasks(project public.projects, size integer)
  returns setof public.tasks
  language sql
  stable
as $$
  select t.* from public.tasks t where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = 'pending' and t.open_dependencies = 0
    order by app.priority_rank(t.priority), t.number limit size
$$;

-- Does a task pass the filters of list_tasks and claim_task? Filters that are not there pass all.
create function app.task_passes(task public.tasks, filters jsonb, actor app.actor) returns boolean language sql stable as $$
  select (not filters ? 'status' or filters -> 'status' ? task.status)
    and (not filters ? 'priority' or filters -> 'priority' ? task.priority)
    and (not filters ? 'parent' or task.parent_id = (filters ->> 'parent')::uuid)
    and (not filters ? 'query' or position(lower(filters ->> 'query') in lower(task.title)) > 0)
    and (not coalesce((filters ->> 'mine')::boolean, false)
      or task.locked_by_user = actor.user_id and task.locked_by = coalesce(actor.agent, actor.client, 'user'))
$$;

create function app.check_filters(filters jsonb, tenant_id uuid, variadic allowed text[])
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_key text;
begin
  filters := jsonb_strip_nulls(coalesce(filters, '{}'));
  if filters = '{}' then
    return filters;
  end if;
  select k into v_key from jsonb_object_keys(filters) k where k <> all (allowed) limit 1;
  if found then
    perform app.fail('invalid_input', format('There is no filter %s.', left(v_key, 80)), jsonb_build_object('field', v_key), 'Filters: ' || array_to_string(allowed, ', ') || '.');
  end if;
  if filters ? 'parent' then
    filters := jsonb_set(filters, '{parent}', to_jsonb(app.find_task_id(filters ->> 'parent', tenant_id)));
  end if;
  return filters;
end
$$;

-- The best task that may be started: the first ready one by priority and age, or one whose lock has lapsed. Rows that another
-- claim is taking at this moment are passed over, so that many agents at once get different tasks.
create function app.lock_next_task(project public.projects, filters jsonb, actor app.actor)
  returns uuid
  language plpgsql
  set search_path = ''
as $$
declare
  v_ready public.tasks;
  v_lapsed public.tasks;
  v_gated boolean := jsonb_path_exists(project.rules, '$.gates[*] ? (@.on == "claim")');
begin
  if filters = '{}' and not v_gated then
    select * into v_ready from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = 'pending' and t.open_dependencies = 0
      order by app.priority_rank(t.priority), t.number limit 1 for no key update skip locked;
  else
    select * into v_ready from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = 'pending' and t.open_dependencies = 0
        and app.task_passes(t, filters, actor) and (not v_gated or app.unmet_gates(t, project.rules, 'claim', null) = '{}')
      order by app.priority_rank(t.priority), t.number limit 1 for no key update skip locked;
  end if;
  if exists (select from public.task_leases l where l.tenant_id = project.tenant_id and l.project_id = project.id and l.expires_at <= app.now()) then
    select t.* into v_lapsed from public.task_leases l
      join public.tasks t on t.tenant_id = l.tenant_id and t.id = l.task_id and t.lock_token = l.lock_token
      where l.tenant_id = project.tenant_id and l.project_id = project.id and l.expires_at <= app.now() and app.task_passes(t, filters, actor)
        and t.attempts + 1 < coalesce((project.rules ->> 'attempts_max')::integer, 2147483647)
        and (not v_gated or app.unmet_gates(t, project.rules, 'claim', null) = '{}')
      order by app.priority_rank(t.priority), t.number limit 1 for no key update of t skip locked;
  end if;
  if v_ready.id is null or (app.priority_rank(v_lapsed.priority), v_lapsed.number) < (app.priority_rank(v_ready.priority), v_ready.number) then
    return v_lapsed.id;
  end if;
  return v_ready.id;
end
$$;

-- What ends the lapsed claims that were the last attempt their project allows, of one task or of any: releases that leave the task
-- blocked for a person, each caused by the claim that lapsed.
create function app.give_up_lapsed(project public.projects, task_id uuid)
  returns jsonb
  language plpgsql
  set search_path = ''
as $$
begin
  if not coalesce(project.rules ? 'attempts_max', false) then
    return '[]';
  end if;
  return (
    with worn_out as (
      select t.id, t.ref, t.lock_token, t.locked_by from public.task_leases l
        join public.tasks t on t.tenant_id = l.tenant_id and t.id = l.task_id and t.lock_token = l.lock_token
      where l.tenant_id = project.tenant_id and l.project_id = project.id and l.expires_at <= app.now()
        and t.attempts + 1 >= (project.rules ->> 'attempts_max')::integer and (give_up_lapsed.task_id is null or t.id = give_up_lapsed.task_id)
      order by t.id limit 20 for no key update of t skip locked)
    select coalesce(jsonb_agg(jsonb_build_object('stream', 'task:' || w.id, 'type', 'task.released',
        'data', jsonb_build_object('outcome', 'failed', 'reason', format('The claim of %s lapsed.', w.locked_by)),
        'causation', coalesce((select e.id from public.events e where e.tenant_id = project.tenant_id and e.stream = 'task:' || w.id and e.version = w.lock_token), w.id))
      order by w.id), '[]') from worn_out w);
end
$$;

-- Why there is nothing to claim, and what to do about it.
create function app.nothing_ready(project public.projects, filters jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_counts jsonb := app.project_brief(project) -> 'tasks';
  v_next timestamptz;
begin
  select min(l.expires_at) into v_next from public.task_leases l where l.tenant_id = project.tenant_id and l.project_id = project.id;
  return jsonb_strip_nulls(jsonb_build_object('task', null, 'project', project.slug, 'counts', v_counts, 'next_expiry', v_next, 'hint', case
    when filters <> '{}' and (v_counts ->> 'ready')::integer > 0 then 'Other tasks are ready: claim without the filters.'
    when (v_counts ->> 'ready')::integer > 0 then 'A rule of the project holds back what is ready: claim one by its ref to see what it needs.'
    when (v_counts ->> 'in_progress')::integer > 0 then 'All that is ready is held. Wait with wait_for_events, or plan more with create_tasks.'
    when (v_counts ->> 'blocked')::integer > 0 then 'What is left is blocked: list_tasks with status blocked shows why.'
    when (v_counts ->> 'pending')::integer > 0 then 'Pending tasks wait for others: list_tasks with status pending shows for which.'
    else 'Nothing is left to do. Save a checkpoint, or plan more with create_tasks.' end));
end
$$;

-- claim_task(task?, project?, filters?, ttl_seconds, take_over, command) -> {task: {…, lock_token}, gates?, previous?} or, when
-- nothing is ready, {counts, next_expiry?, hint}. Without `task` it takes the best ready one. Raises not_found, lock_held,
-- illegal_transition, gate_unmet, invalid_input.
create function public.claim_task(task text default null, project text default null, filters jsonb default '{}', ttl_seconds integer default 3600,
    take_over boolean default false, command jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor, 'member');
  v_result jsonb := app.recall(v_actor, command);
  v_filters jsonb;
  v_project public.projects;
  v_id uuid;
  v_events jsonb;
begin
  if v_result is not null then
    return v_result;
  end if;
  if ttl_seconds not between 1 and 86400 then
    perform app.fail('invalid_input', format('ttl_seconds is %s; allowed is 1 to 86400.', ttl_seconds), jsonb_build_object('field', 'ttl_seconds'));
  end if;
  if task is not null then
    v_id := app.find_task_id(task, v_actor.tenant_id);
    select p.* into v_project from public.tasks t join public.projects p on p.tenant_id = t.tenant_id and p.id = t.project_id
      where t.tenant_id = v_actor.tenant_id and t.id = v_id;
    v_events := app.give_up_lapsed(v_project, v_id);
  else
    v_filters := app.check_filters(filters, v_actor.tenant_id, 'priority', 'parent', 'query');
    v_project := app.find_project(project, v_actor);
    if v_project.archived_at is not null then
      perform app.refuse_archived(v_project);
    end if;
    v_events := app.give_up_lapsed(v_project, null);
    v_id := app.lock_next_task(v_project, v_filters, v_actor);
    if v_id is null and v_events = '[]' then
      return app.nothing_ready(v_project, v_filters);
    end if;
  end if;
  if v_id is null or task is not null and v_events <> '[]' then
    perform app.append(v_events, v_actor);
    return app.remember(v_actor, command, app.nothing_ready(v_project, coalesce(v_filters, '{}')) || case when task is null then '{}' else jsonb_build_object('hint',
      format('Task %s was given up as often as its project allows and is blocked for a person. Claim another one.', task)) end);
  end if;
  v_result := app.append(v_events || jsonb_build_array(jsonb_build_object('stream', 'task:' || v_id, 'type', 'task.claimed',
    'data', jsonb_strip_nulls(jsonb_build_object('ttl_seconds', ttl_seconds, 'take_over', nullif(take_over, false))))), v_actor);
  return app.remember(v_actor, command, app.claim_briefing(v_result -> 'events' -> -1, v_project));
end
$$;

-- All that is needed to start: the task with its scope and its dependencies' outcomes, what completion will ask for, and
-- why the last holder gave up.
create function app.claim_briefing(claimed jsonb, project public.projects)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_state jsonb := claimed -> 'state';
  v_gates text[];
begin
  if project.rules ? 'gates' then
    v_gates := app.unmet_gates(app.find_task(v_state ->> 'id', project.tenant_id), project.rules, 'complete', null);
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'task', v_state || jsonb_build_object('lock_token', claimed -> 'version'),
    'gates', nullif(to_jsonb(v_gates), '[]'),
    'previous', case when v_state ? 'last_outcome' then
      jsonb_build_object('outcome', v_state -> 'last_outcome', 'reason', v_state -> 'last_reason', 'by', v_state -> 'last_agent') end));
end
$$;

-- extend_lock(task, lock_token, ttl_seconds) -> {ref, lock_token, locked_until}. Writes no event. Raises lock_lost.
create function public.extend_lock(task text, lock_token bigint, ttl_seconds integer default 3600, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor, 'member');
  v_id uuid := app.find_task_id(task, v_actor.tenant_id);
  v_task public.tasks;
  v_event public.events;
  v_until timestamptz;
begin
  if ttl_seconds not between 1 and 86400 then
    perform app.fail('invalid_input', format('ttl_seconds is %s; allowed is 1 to 86400.', ttl_seconds), jsonb_build_object('field', 'ttl_seconds'));
  end if;
  select * into v_task from public.tasks t
    where t.tenant_id = v_actor.tenant_id and t.id = v_id for no key update;
  v_event.created_at := app.now();
  perform app.check_holder(v_task, v_event, jsonb_build_object('lock_token', lock_token), app.lease_expires_at(v_task), v_actor.role);
  v_until := v_event.created_at + make_interval(secs => extend_lock.ttl_seconds);
  insert into public.task_leases as l (tenant_id, task_id, project_id, lock_token, ttl_seconds, expires_at)
    values (v_task.tenant_id, v_task.id, v_task.project_id, v_task.lock_token, extend_lock.ttl_seconds, v_until)
    on conflict (tenant_id, task_id) do update set ttl_seconds = excluded.ttl_seconds, expires_at = excluded.expires_at;
  return jsonb_build_object('ref', v_task.ref, 'lock_token', v_task.lock_token, 'locked_until', v_until);
end
$$;

-- list_tasks(project?, filters?, cursor?, page_size) -> {tasks, total?, next_cursor?}. Ready ones by priority and age, others by
-- number. Filters: status[], priority[], ready, mine, parent, query. Raises invalid_input, not_found.
create function public.list_tasks(project text default null, filters jsonb default '{}', cursor text default null, page_size integer default 20, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_filters jsonb := app.check_filters(filters, v_actor.tenant_id, 'status', 'priority', 'ready', 'mine', 'parent', 'query');
  v_size integer := app.page_size(page_size, 100);
  v_question text := md5(v_project.id || v_filters::text);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_found public.tasks[];
begin
  if coalesce((v_filters ->> 'ready')::boolean, false) then
    v_found := array(select t from public.tasks t
      where t.tenant_id = v_project.tenant_id and t.project_id = v_project.id and t.status = 'pending' and t.open_dependencies = 0
        and app.task_passes(t, v_filters, v_actor)
        and (v_after is null or (app.priority_rank(t.priority), t.number) > ((v_after ->> 'rank')::smallint, (v_after ->> 'number')::integer))
      order by app.priority_rank(t.priority), t.number limit v_size + 1);
  elsif jsonb_array_length(v_filters -> 'status') = 1 or coalesce((v_filters ->> 'mine')::boolean, false) then
    v_found := array(select t from public.tasks t
      where t.tenant_id = v_project.tenant_id and t.project_id = v_project.id and t.status = coalesce(v_filters -> 'status' ->> 0, 'in_progress')
        and app.task_passes(t, v_filters, v_actor) and t.number > coalesce((v_after ->> 'number')::integer, 0)
      order by t.number limit v_size + 1);
  else
    v_found := array(select t from public.tasks t
      where t.tenant_id = v_project.tenant_id and t.project_id = v_project.id
        and app.task_passes(t, v_filters, v_actor) and t.number > coalesce((v_after ->> 'number')::integer, 0)
      order by t.number limit v_size + 1);
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'project', v_project.slug, 'counts', app.project_brief(v_project) -> 'tasks',
    'tasks', (select coalesce(jsonb_agg(app.task_brief(v_found[i]) order by i), '[]') from generate_series(1, least(v_size, cardinality(v_found))) i),
    'next_cursor', case when cardinality(v_found) > v_size then app.encode_cursor(jsonb_build_object('of', v_question,
      'rank', app.priority_rank((v_found[v_size]).priority), 'number', (v_found[v_size]).number)) end));
end
$$;

-- get_task(task, timeline_size) -> the task with its artifacts and its latest events. Raises not_found.
create function public.get_task(task text, timeline_size integer default 10, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = ''
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_task public.tasks := app.find_task(task, v_actor.tenant_id);
begin
  if timeline_size not between 0 and 100 then
    perform app.fail('invalid_input', format('timeline_size is %s; allowed is 0 to 100.', timeline_size), jsonb_build_object('field', 'timeline_size'));
  end if;
  return app.task_full(v_task, (select p.rules from public.projects p where p.tenant_id = v_task.tenant_id and p.id = v_task.project_id)) || jsonb_build_object(
    'dependents', app.dependents(v_task),
    'artifacts', (select coalesce(jsonb_agg(app.artifact_full(a) - 'task' order by a.created_at desc), '[]') from (
      select * from public.artifacts x where x.tenant_id = v_task.tenant_id and x.task_id = v_task.id order by x.created_at desc limit 20) a),
    'timeline', (select coalesce(jsonb_agg(app.event_brief(app.upcast(e)) order by e.seq desc), '[]') from (
      select * from public.events x where x.tenant_id = v_task.tenant_id and x.task_id = v_task.id order by x.seq desc limit timeline_size) e));
end
$$;
