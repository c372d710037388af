-- One answer to whether a task is ready, for claims, lists, counts and resume: it is pending and waits for nothing, or the
-- claim on it has lapsed; and it has no open parts, which are the work. How many these are is kept beside the task, as
-- its open dependencies are, and is no part of its stream: a snapshot of before has none until it is counted.

alter table public.tasks add column open_parts integer default 0 check (open_parts >= 0);

drop index public.idx_tasks_ready;
create index idx_tasks_ready on public.tasks (tenant_id, project_id, app.priority_rank(priority), number)
  where status = 'pending' and open_dependencies = 0 and open_parts = 0;

create or replace function app.is_ready(task public.tasks) returns integer language sql immutable as $$
  select (coalesce(task.status, '') = 'pending' and task.open_dependencies = 0 and coalesce(task.open_parts, 0) = 0)::integer
$$;

-- The parent that a task is an open part of.
create function app.open_part_of(task public.tasks) returns uuid language sql immutable
  return case when task.status not in ('completed', 'cancelled') then task.parent_id end;

-- Whether a claim that names no task may take this one; of one in progress `expires_at` is when its claim lapses, or did.
create function app.is_claimable(task public.tasks, expires_at timestamptz) returns boolean language plpgsql stable
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

-- Tasks of a project whose claims have lapsed, and that another may take.
create function app.lapsed_tasks(project public.projects) returns setof public.tasks language sql stable as $$
  select t.* from public.task_leases l
    cross join lateral (
      select x.* from public.tasks x
      where x.tenant_id = l.tenant_id and x.id = l.task_id and x.lock_token = l.lock_token offset 0) t
  where l.tenant_id = project.tenant_id and l.project_id = project.id and l.expires_at <= app.now()
    and t.status = 'in_progress' and app.is_claimable(t, l.expires_at)
$$;

drop function app.ready_tasks(public.projects, integer);

-- What is ready in a project, in the order in which it is claimed; `after` is {rank, number} of the last one seen.
create function app.ready_tasks(project public.projects, filters jsonb, actor app.actor, after jsonb, size integer)
  returns setof public.tasks language sql stable as $$
  select * from (
    (select t.* from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id
        and t.status = 'pending' and t.open_dependencies = 0 and t.open_parts = 0
        and app.task_passes(t, filters, actor)
        and (after is null or (app.priority_rank(t.priority), t.number)
          > ((after ->> 'rank')::smallint, (after ->> 'number')::integer))
      order by app.priority_rank(t.priority), t.number limit size)
    union all
    (select t.* from app.lapsed_tasks(project) t
      where app.task_passes(t, filters, actor)
        and (after is null or (app.priority_rank(t.priority), t.number)
          > ((after ->> 'rank')::smallint, (after ->> 'number')::integer)))) t
  order by app.priority_rank(t.priority), t.number limit size
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
  v_task.open_parts := 0;
  v_task.attempts := 0;
  v_task.evidence := '[]';
  return app.evolve_task_text(v_task, event.payload);
end
$$;

-- Counts a part to or from the tasks that it was and is an open part of, where that changed.
create function app.count_part(was public.tasks, task public.tasks) returns void language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_change record;
  v_ready integer;
begin
  if app.open_part_of(was) is not distinct from app.open_part_of(task) then
    return;
  end if;
  for v_change in
    select c.parent_id, c.step from (values (app.open_part_of(was), -1), (app.open_part_of(task), 1)) c (parent_id, step)
    where c.parent_id is not null order by c.parent_id
  loop
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
  perform app.count_part(v_was, v_task);
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
  select coalesce(sum(case when c.open_dependencies = 0 then 1 when c.open_dependencies = difference then -1 else 0 end), 0)
    into v_ready from changed c where c.status = 'pending' and c.open_parts = 0;
  if v_ready <> 0 then
    perform app.count_tasks(task.tenant_id, task.project_id, 'pending', 'pending', 0, v_ready);
  end if;
end
$$;

create or replace function app.lock_next_task(project public.projects, filters jsonb, actor app.actor)
  returns uuid
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ready public.tasks;
  v_lapsed public.tasks;
  v_gated boolean := jsonb_path_exists(project.rules, '$.gates[*] ? (@.on == "claim")');
begin
  if filters = '{}' and not v_gated then
    select * into v_ready from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = 'pending' and t.open_dependencies = 0
        and t.open_parts = 0
      order by app.priority_rank(t.priority), t.number limit 1 for no key update skip locked;
  else
    select * into v_ready from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = 'pending' and t.open_dependencies = 0
        and t.open_parts = 0
        and app.task_passes(t, filters, actor) and (not v_gated or app.unmet_gates(t, project.rules, 'claim', null) = '{}')
      order by app.priority_rank(t.priority), t.number limit 1 for no key update skip locked;
  end if;
  if exists (select from public.task_leases l
      where l.tenant_id = project.tenant_id and l.project_id = project.id and l.expires_at <= app.now()) then
    select t.* into v_lapsed from public.tasks t
      where t.tenant_id = project.tenant_id and t.id in (select x.id from app.lapsed_tasks(project) x)
        and t.status = 'in_progress' and app.task_passes(t, filters, actor)
        and (not v_gated or app.unmet_gates(t, project.rules, 'claim', null) = '{}')
      order by app.priority_rank(t.priority), t.number limit 1 for no key update of t skip locked;
  end if;
  if v_ready.id is null or (app.priority_rank(v_lapsed.priority), v_lapsed.number) < (app.priority_rank(v_ready.priority), v_ready.number) then
    return v_lapsed.id;
  end if;
  return v_ready.id;
end
$$;

create or replace function app.task_brief(task public.tasks)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_until timestamptz;
  v_session text;
  v_parent text;
begin
  if task.lock_token is not null then
    v_until := app.lease_expires_at(task);
    v_session := app.session_state(task);
  end if;
  if task.parent_id is not null then
    select p.ref into v_parent from public.tasks p where p.tenant_id = task.tenant_id and p.id = task.parent_id;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'ref', task.ref, 'title', task.title, 'status', task.status, 'priority', task.priority,
    'ready', app.is_claimable(task, v_until),
    'locked_by', task.locked_by, 'locked_until', v_until, 'session', v_session,
    'open_dependencies', nullif(task.open_dependencies, 0), 'open_parts', nullif(task.open_parts, 0),
    'blocked_reason', left(task.blocked_reason, 300),
    'warning', left(task.warning, 300), 'attempts', nullif(task.attempts, 0), 'completed_at', task.completed_at,
    'unproven', app.unproven(task), 'parent', v_parent));
end
$$;

create or replace function app.task_full(task public.tasks, rules jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_task jsonb := app.task_brief(task) || jsonb_strip_nulls(jsonb_build_object(
    'id', task.id, 'project', left(task.ref, length(task.ref) - length(task.number::text) - 1), 'version', task.version,
    'description', nullif(task.description, ''), 'acceptance_criteria', to_jsonb(task.acceptance_criteria),
    'dependencies', '[]'::jsonb,
    'constraints', nullif(task.constraints, '{}'), 'summary', task.summary,
    'scope', case when rules ? 'scope' or task.constraints <> '{}' then app.effective_scope(rules, task.constraints) end,
    'last_outcome', task.last_outcome, 'last_reason', task.last_reason, 'last_agent', task.last_agent,
    'approved_at', task.approved_at,
    'created_by', task.created_by, 'created_at', task.created_at, 'updated_at', task.updated_at));
begin
  if task.dependencies <> '{}' then
    v_task := v_task || jsonb_build_object('dependencies', (
      select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'ref', d.ref, 'title', d.title, 'status', d.status, 'unproven', app.unproven(d),
        'outcome', left(d.summary, 500))) order by d.number)
      from app.tasks_with(task.tenant_id, task.dependencies) d));
  end if;
  if task.discovered_from is not null then
    v_task := v_task || jsonb_strip_nulls(jsonb_build_object('discovered_from', (
      select d.ref from public.tasks d where d.tenant_id = task.tenant_id and d.id = task.discovered_from)));
  end if;
  if task.open_parts > 0 then
    v_task := v_task || jsonb_build_object('parts', (
      select jsonb_agg(p.ref) from (
        select c.ref from public.tasks c where c.tenant_id = task.tenant_id and c.parent_id = task.id
          and c.status not in ('completed', 'cancelled') order by c.number limit 20) p));
  end if;
  if task.evidence <> '[]' then
    v_task := v_task || jsonb_build_object('evidence', (
      select jsonb_agg(jsonb_strip_nulls(to_jsonb(g) || jsonb_build_object('stale', nullif(g.stale, false))))
      from app.graded_evidence(task, task.evidence) g));
  end if;
  if task.status = 'pending' and task.open_dependencies > 0 then
    v_task := v_task || jsonb_build_object('waiting_for', app.waiting_for(task));
  end if;
  return v_task;
end
$$;

create or replace function app.project_brief(project public.projects)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_counts app.task_counts;
  v_unproven bigint;
  v_lapsed bigint;
begin
  select * into v_counts from app.task_counts c where c.tenant_id = project.tenant_id and c.project_id = project.id;
  if v_counts.completed > 0 then
    select count(*) into v_unproven from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = 'completed'
        and app.unproven_criteria(t.acceptance_criteria, t.evidence) is not null;
  end if;
  if v_counts.in_progress > 0 then
    select count(*) into v_lapsed from app.lapsed_tasks(project);
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'id', project.id, 'slug', project.slug, 'name', project.name, 'description', nullif(project.description, ''),
    'archived_at', project.archived_at, 'updated_at', project.updated_at,
    'tasks', jsonb_build_object('pending', coalesce(v_counts.pending, 0),
      'ready', coalesce(v_counts.ready, 0) + coalesce(v_lapsed, 0),
      'in_progress', coalesce(v_counts.in_progress, 0), 'blocked', coalesce(v_counts.blocked, 0),
      'completed', coalesce(v_counts.completed, 0), 'cancelled', coalesce(v_counts.cancelled, 0),
      'unproven', nullif(v_unproven, 0))));
end
$$;

-- list_tasks(project?, filters?, cursor?, page_size) -> {project, counts, tasks, next_cursor?}.
create or replace function public.list_tasks(project text default null, filters jsonb default '{}', cursor text default null, page_size integer default 20, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_filters jsonb := app.check_filters(filters, v_actor.tenant_id, 'status', 'priority', 'ready', 'mine', 'parent', 'query',
    'unproven');
  v_size integer := app.page_size(page_size, 100);
  v_question text := md5(v_project.id || v_filters::text);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_found public.tasks[];
begin
  if coalesce((v_filters ->> 'unproven')::boolean, false) then
    v_found := array(select t from public.tasks t
      where t.tenant_id = v_project.tenant_id and t.project_id = v_project.id and t.status = 'completed'
        and app.unproven_criteria(t.acceptance_criteria, t.evidence) is not null
        and not coalesce((v_filters ->> 'ready')::boolean, false)
        and app.task_passes(t, v_filters, v_actor) and t.number > coalesce((v_after ->> 'number')::integer, 0)
      order by t.number limit v_size + 1);
  elsif coalesce((v_filters ->> 'ready')::boolean, false) then
    v_found := array(select t from app.ready_tasks(v_project, v_filters, v_actor, v_after, v_size + 1) t);
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

create or replace function public.get_project(project text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_checkpoint public.checkpoints := app.latest_checkpoint(v_project);
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'project', app.project_brief(v_project) || jsonb_build_object('rules', v_project.rules, 'version', v_project.version),
    'checkpoint', case when v_checkpoint.id is not null then app.checkpoint_brief(v_checkpoint) end,
    'in_progress', (select coalesce(jsonb_agg(app.task_brief(t)), '[]') from app.tasks_by_status(v_project, 'in_progress', 10) t),
    'ready', (select coalesce(jsonb_agg(app.task_brief(t)), '[]') from app.ready_tasks(v_project, '{}', v_actor, null, 10) t),
    'decisions', (select coalesce(jsonb_agg(app.decision_brief(d)), '[]') from (select * from public.decisions x
      where x.tenant_id = v_project.tenant_id and x.project_id = v_project.id and x.superseded_by is null order by x.created_at desc limit 5) d),
    'position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id)));
end
$$;

create or replace function public.resume_project(project text default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_checkpoint public.checkpoints := app.latest_checkpoint(v_project);
begin
  return jsonb_strip_nulls(jsonb_build_object(
    'project', app.project_brief(v_project),
    'checkpoint', case when v_checkpoint.id is not null
      then app.checkpoint_full(v_checkpoint, v_project.slug) - 'snapshot' end,
    'since', app.changes_since(v_project, coalesce(app.checkpoint_position(v_checkpoint), 0)),
    'mine', app.own_locks(v_project, v_actor, actor ->> 'worker' is not null),
    'left', app.left_locks(v_project, v_actor),
    'in_progress', (select jsonb_agg(app.task_brief(t)) from app.tasks_by_status(v_project, 'in_progress', 10) t),
    'blocked', (select jsonb_agg(app.task_brief(t)) from app.tasks_by_status(v_project, 'blocked', 5) t),
    'ready', (select jsonb_agg(app.task_brief(t)) from app.ready_tasks(v_project, '{}', v_actor, null, 5) t),
    'questions', (
      select jsonb_agg(app.event_brief(app.upcast(e),
        (select t.ref from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id)))
      from app.open_questions(v_project, 5) e),
    'decisions', (
      select jsonb_agg(app.decision_brief(d))
      from (
        select * from public.decisions x
        where x.tenant_id = v_project.tenant_id and x.project_id = v_project.id and x.superseded_by is null
        order by x.created_at desc limit 5) d),
    'position', (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id)));
end
$$;

-- Tasks of whose open parts another number is kept than there are.
create function app.miscounted_parts(tenant_id uuid) returns table (id uuid, live integer, log integer)
  language sql stable as $$
  select t.id, t.open_parts, coalesce(p.n, 0)
  from public.tasks t left join (
    select c.parent_id, count(*)::integer as n from public.tasks c
    where c.tenant_id = miscounted_parts.tenant_id and app.open_part_of(c) is not null group by c.parent_id) p
    on p.parent_id = t.id
  where t.tenant_id = miscounted_parts.tenant_id and t.open_parts is distinct from coalesce(p.n, 0)
$$;

create or replace function app.rebuild_links(tenant_id uuid)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from app.task_dependencies e where e.tenant_id = rebuild_links.tenant_id and not exists (
    select from public.tasks t where t.tenant_id = e.tenant_id and t.id = e.task_id and e.depends_on = any (t.dependencies));
  insert into app.task_dependencies (tenant_id, task_id, depends_on)
    select t.tenant_id, t.id, d from public.tasks t, unnest(t.dependencies) d where t.tenant_id = rebuild_links.tenant_id and t.dependencies <> '{}'
    on conflict do nothing;
  update public.tasks t set open_dependencies = m.log
    from app.miscounted_tasks(rebuild_links.tenant_id) m where t.tenant_id = rebuild_links.tenant_id and t.id = m.id;
  update public.tasks t set open_parts = m.log
    from app.miscounted_parts(rebuild_links.tenant_id) m where t.tenant_id = rebuild_links.tenant_id and t.id = m.id;
  insert into app.task_counts
    select * from app.counted_tasks(rebuild_links.tenant_id) except select * from app.task_counts c where c.tenant_id = rebuild_links.tenant_id
    on conflict on constraint task_counts_pkey do update set (pending, ready, in_progress, blocked, completed, cancelled)
      = (excluded.pending, excluded.ready, excluded.in_progress, excluded.blocked, excluded.completed, excluded.cancelled);
  delete from public.task_leases l where l.tenant_id = rebuild_links.tenant_id and not exists (
    select from public.tasks t where t.tenant_id = l.tenant_id and t.id = l.task_id and t.lock_token = l.lock_token);
end
$$;

create or replace function app.link_among(tenant_id uuid, ids uuid[], was public.tasks[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  -- Some of these have no dependencies any more: the fold of their first event counts all that they had.
  v_linked uuid[] := array(select distinct t.id from unnest(was || app.tasks_among(tenant_id, ids)) t
    where t.dependencies <> '{}' or t.open_dependencies <> 0);
  v_task public.tasks;
begin
  foreach v_task in array app.tasks_among(tenant_id, v_linked) loop
    perform app.write_edges(v_task);
    v_task.open_dependencies := app.count_open_dependencies(v_task);
    update public.tasks t set open_dependencies = v_task.open_dependencies
      where t.tenant_id = v_task.tenant_id and t.id = v_task.id and t.open_dependencies <> v_task.open_dependencies;
  end loop;
  update public.tasks t set open_parts = p.n
    from unnest(ids) i cross join lateral (
      select count(*)::integer as n from public.tasks c
      where c.tenant_id = link_among.tenant_id and c.parent_id = i and app.open_part_of(c) is not null offset 0) p
    where t.tenant_id = link_among.tenant_id and t.id = i and t.open_parts is distinct from p.n;
  update app.task_counts c set (pending, ready, in_progress, blocked, completed, cancelled)
      = (c.pending + d.pending, c.ready + d.ready, c.in_progress + d.in_progress, c.blocked + d.blocked,
        c.completed + d.completed, c.cancelled + d.cancelled)
    from (
      select t.project_id, sum(t.n * (t.status = 'pending')::integer) as pending, sum(t.n * t.ready) as ready,
        sum(t.n * (t.status = 'in_progress')::integer) as in_progress,
        sum(t.n * (t.status = 'blocked')::integer) as blocked,
        sum(t.n * (t.status = 'completed')::integer) as completed,
        sum(t.n * (t.status = 'cancelled')::integer) as cancelled
      from (
        select 1 as n, x.project_id, x.status, app.is_ready(x) as ready from unnest(app.tasks_among(tenant_id, ids)) x
        union all
        select -1, x.project_id, x.status, app.is_ready(x) from unnest(was) x) t group by t.project_id) d
    where c.tenant_id = link_among.tenant_id and c.project_id = d.project_id;
end
$$;

create or replace function app.fold_on(tenant_id uuid, events public.events[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
  v_ids uuid[] := array(select distinct app.stream_id(e.stream) from unnest(events) e);
  v_tasks uuid[] := array(
    select unnest(v_ids)
    union
    select e.task_id from unnest(v_ids) i cross join lateral (
      select x.task_id from app.task_dependencies x
      where x.tenant_id = fold_on.tenant_id and x.depends_on = i offset 0) e
    union
    -- What they are, or were, a part of.
    select (e.payload ->> 'parent')::uuid from unnest(events) e
      where e.event_type in ('task.created', 'task.updated') and e.payload ->> 'parent' is not null
    union
    select t.parent_id from unnest(app.tasks_among(tenant_id, v_ids)) t where t.parent_id is not null);
  v_was public.tasks[] := app.tasks_among(tenant_id, v_tasks);
begin
  for v_model in select * from app.read_models order by place loop
    execute format(
      'with written as (
         insert into public.%1$I as x select (f.folded).* from (
           select app.%3$I(e.event order by e.version) as folded from (
             select n.stream, n.version, app.upcast(n) as event from unnest($2) n where starts_with(n.stream, %4$L)
             union all
             select %4$L || l.id, l.version,
               app.snapshot_event((l.tenant_id, %4$L || l.id, l.version, 0, null, to_jsonb(l)))
             from unnest($3) i cross join lateral (
               select t.* from public.%1$I t where t.tenant_id = (select $1) and t.id = i offset 0) l) e
           group by e.stream) f
         on conflict (tenant_id, id) do update set %2$s returning x as folded)
       select %5$s from written w', v_model.table_name,
      (
        select string_agg(format('%1$I = excluded.%1$I', a.attname), ', ') from pg_attribute a
        where a.attrelid = format('public.%I', v_model.table_name)::regclass and a.attnum > 0 and not a.attisdropped
          and a.attname not in ('open_dependencies', 'open_parts')),
      'fold_' || v_model.category, v_model.category || ':',
      coalesce(to_regproc('app.index_' || v_model.category) || '(w.folded)', '1'))
      using tenant_id, events, v_ids;
  end loop;
  insert into app.task_counts (tenant_id, project_id)
    select e.tenant_id, e.project_id from unnest(events) e where e.event_type = 'project.created';
  perform app.link_among(tenant_id, v_tasks, v_was);
  perform app.index_event(e) from unnest(events) e;
end
$$;

create or replace function app.rebuild(tenant_id uuid, streams text[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_model app.read_models;
begin
  for v_model in select * from app.read_models order by place loop
    execute format(
      'insert into public.%1$I select (d.log).* from app.differing_%1$s($1, $2) d where (d.log).id is not null
       on conflict (tenant_id, id) do update set %2$s', v_model.table_name,
      (select string_agg(format('%1$I = excluded.%1$I', a.attname), ', ') from pg_catalog.pg_attribute a
        where a.attrelid = format('public.%I', v_model.table_name)::regclass and a.attnum > 0 and not a.attisdropped and a.attname not in ('open_dependencies', 'open_parts')))
      using tenant_id, streams;
  end loop;
  perform app.rebuild_links(tenant_id);
  perform app.rebuild_search(tenant_id, streams);
end
$$;

create or replace function app.differing_link(tenant_id uuid)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select * from (
    (select jsonb_build_object('table', 'tasks', 'id', m.id, 'columns', jsonb_build_object('open_dependencies', jsonb_build_object('live', m.live, 'log', m.log)))
      from app.miscounted_tasks(differing_link.tenant_id) m limit 1)
    union all
    (select jsonb_build_object('table', 'tasks', 'id', m.id, 'columns',
        jsonb_build_object('open_parts', jsonb_build_object('live', m.live, 'log', m.log)))
      from app.miscounted_parts(differing_link.tenant_id) m limit 1)
    union all
    (select jsonb_build_object('table', 'task_dependencies', 'id', coalesce(e.task_id, x.task_id))
      from (select * from app.task_dependencies where task_dependencies.tenant_id = differing_link.tenant_id) e
      full join (select t.id as task_id, d as depends_on from public.tasks t, unnest(t.dependencies) d where t.tenant_id = differing_link.tenant_id) x
        on x.task_id = e.task_id and x.depends_on = e.depends_on where e.task_id is null or x.task_id is null limit 1)
    union all
    (select jsonb_build_object('table', 'task_counts', 'id', coalesce(l.project_id, c.project_id), 'columns', jsonb_build_object('live', to_jsonb(l), 'log', to_jsonb(c)))
      from (select * from app.task_counts where task_counts.tenant_id = differing_link.tenant_id) l
      full join app.counted_tasks(differing_link.tenant_id) c on c.project_id = l.project_id where to_jsonb(l) is distinct from to_jsonb(c) limit 1)) d
  limit 1
$$;

create or replace function app.differing_row(model app.read_models, tenant_id uuid)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_difference jsonb;
begin
  execute format(
    'select jsonb_build_object(''table'', $2, ''id'', d.id, ''columns'', (
         select jsonb_object_agg(k, jsonb_build_object(''live'', d.live -> k, ''log'', d.log -> k))
         from jsonb_object_keys(coalesce(d.live, d.log) - ''open_dependencies'' - ''open_parts'') k where d.live -> k is distinct from d.log -> k))
     from (select x.id, to_jsonb(x.live) as live, to_jsonb(x.log) as log from app.%I($1, null) x limit 1) d', 'differing_' || model.table_name)
    into v_difference using tenant_id, model.table_name;
  return v_difference;
end
$$;

select app.secure_functions();

-- What is there already is counted, workspace by workspace.
do $$
declare
  v_tenant uuid;
begin
  set local role cairn_owner;
  for v_tenant in select distinct d.tenant_id from app.search_documents d loop
    perform set_config('app.tenant_id', v_tenant::text, true);
    perform app.rebuild_links(v_tenant);
  end loop;
  perform set_config('app.tenant_id', '', true);
  reset role;
end
$$;
