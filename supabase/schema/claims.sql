-- Made by `npm run schema` from the migrated database. Do not edit: change supabase/code or add a migration.

-- Functions

CREATE OR REPLACE FUNCTION app.check_filters(filters jsonb, tenant_id uuid, VARIADIC allowed text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_key text;
begin
  filters := jsonb_strip_nulls(coalesce(filters, '{}'));
  if jsonb_typeof(filters) <> 'object' then
    perform app.fail('invalid_input', 'filters must be an object.', jsonb_build_object('field', 'filters'),
      'Filters: ' || array_to_string(allowed, ', ') || '.');
  end if;
  if filters = '{}' then
    return filters;
  end if;
  select k into v_key from jsonb_object_keys(filters) k where k <> all (allowed) limit 1;
  if found then
    perform app.fail('invalid_input', format('There is no filter %s.', left(v_key, 80)),
      jsonb_build_object('field', left(v_key, 200)), 'Filters: ' || array_to_string(allowed, ', ') || '.');
  end if;
  select f.key into v_key from jsonb_each(filters) f
    where not app.validate_field(f.value,
      case when f.key in ('parent', 'query') then 'text'
        when f.key in ('ready', 'mine', 'unproven', 'include_data') then 'boolean' else 'text[]' end, 200, null)
    limit 1;
  if found then
    perform app.fail('invalid_input',
      format('The filter %s is not valid: allowed is %s.', v_key,
        case
          when v_key in ('parent', 'query') then 'a text of at most 200 characters'
          when v_key in ('ready', 'mine', 'unproven', 'include_data') then 'true or false'
          else 'a list of at most 200 texts' end),
      jsonb_build_object('field', v_key), 'Leave it out, or pass what is allowed.');
  end if;
  if filters ? 'parent' then
    filters := jsonb_set(filters, '{parent}', to_jsonb(app.find_task_id(filters ->> 'parent', tenant_id)));
  end if;
  return filters;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.claim_briefing(claimed jsonb, project public.projects)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_state jsonb := claimed -> 'state';
  v_gates text[];
begin
  if project.rules ? 'gates' or v_state ? 'reviewer' then
    v_gates := app.unmet_gates(app.find_task(v_state ->> 'id', project.tenant_id), project.rules, 'complete', null);
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'task', v_state || jsonb_build_object('lock_token', claimed -> 'version'),
    'gates', nullif(to_jsonb(v_gates), '[]'),
    'previous', case when v_state ? 'last_outcome' then jsonb_build_object(
      'outcome', v_state -> 'last_outcome',
      'reason', v_state -> 'last_reason',
      'by', v_state -> 'last_agent') end));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.current_process()
 RETURNS uuid
 LANGUAGE sql
 STABLE
RETURN (NULLIF(current_setting('app.process'::text, true), ''::text))::uuid;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.give_up_lapsed(project public.projects, task_id uuid, actor app.actor)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  if not coalesce(project.rules ? 'attempts_max', false) then
    return '[]';
  end if;
  return (
    with worn_out as (
      select t.id, t.ref, t.lock_token, t.locked_by from public.leases l
        join public.tasks t on t.tenant_id = l.tenant_id and t.id = l.id and t.lock_token = l.token
      where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id
        and l.expires_at <= app.now() and t.attempts + 1 >= (project.rules ->> 'attempts_max')::integer
        and (give_up_lapsed.task_id is null or t.id = give_up_lapsed.task_id)
        -- The holder continues if it returns before another agent has claimed the task.
        and not (t.id is not distinct from give_up_lapsed.task_id and t.locked_by_user = actor.user_id
          and t.locked_by = app.actor_name(actor))
      order by t.id limit 20 for no key update of t skip locked)
    select coalesce(jsonb_agg(jsonb_build_object('stream', 'task:' || w.id, 'type', 'task.released',
        'data', jsonb_build_object('outcome', 'failed',
          'reason', format('The claim of %s lapsed.', app.quoted_name(w.locked_by))),
        'causation', coalesce((
          select e.id from public.events e
          where e.tenant_id = project.tenant_id and e.stream = 'task:' || w.id and e.version = w.lock_token), w.id))
      order by w.id), '[]') from worn_out w);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.held_by_own_run(task_id uuid, actor app.actor)
 RETURNS public.tasks
 LANGUAGE sql
 STABLE
AS $function$
  select t.*
  from public.tasks t
  join public.agent_runs r on r.tenant_id = t.tenant_id and r.task_id = t.id and r.lock_token = t.lock_token
  where t.tenant_id = actor.tenant_id and t.id = held_by_own_run.task_id and t.status = 'in_progress'
    and t.locked_by_user = actor.user_id and t.locked_by = actor.agent and r.ended_at is null
    and app.lease_expires_at(t) > app.now()
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.list_dependents(task public.tasks)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('ref', d.ref, 'title', d.title, 'status', d.status)
      order by d.number), '[]')
    from (
      select t.*
      from app.task_dependencies e
      join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id
      where e.tenant_id = task.tenant_id and e.depends_on = task.id
      order by t.number limit 20) d);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.lock_next_task(project public.projects, filters jsonb, actor app.actor)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_ready public.tasks;
  v_lapsed public.tasks;
  v_label text := app.rarest_label(project, filters);
  v_id uuid;
  v_gated boolean := jsonb_path_exists(project.rules, '$.gates[*] ? (@.on == "claim")');
begin
  if filters = '{}' and not v_gated then
    select * into v_ready from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id
        and t.status = 'pending' and t.open_dependencies = 0 and t.open_parts = 0
      order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit 1 for no key update skip locked;
  elsif v_label is not null then
    for v_id in select l.task_id from app.task_labels l
        where l.tenant_id = project.tenant_id and l.project_id = project.id and l.label = v_label and l.is_ready
        order by l.priority_rank, l.rank_order, l.number loop
      -- Locked is only what passes; it is looked at again, for it may have been changed meanwhile.
      select * into v_ready from public.tasks t where t.tenant_id = project.tenant_id and t.id = v_id;
      if app.task_passes(v_ready, filters, actor)
          and (not v_gated or app.unmet_gates(v_ready, project.rules, 'claim', null) = '{}') then
        select * into v_ready from public.tasks t
          where t.tenant_id = project.tenant_id and t.id = v_id
          for no key update skip locked;
        exit when app.is_ready(v_ready) = 1 and app.task_passes(v_ready, filters, actor);
      end if;
      v_ready := null;
    end loop;
  else
    select * into v_ready from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id
        and t.status = 'pending' and t.open_dependencies = 0 and t.open_parts = 0
        and app.task_passes(t, filters, actor)
        and (not v_gated or app.unmet_gates(t, project.rules, 'claim', null) = '{}')
      order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit 1 for no key update skip locked;
  end if;
  if exists (select from public.leases l
      where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id
        and l.expires_at <= app.now()) then
    select t.* into v_lapsed from public.tasks t
      where t.tenant_id = project.tenant_id and t.id in (select x.id from app.lapsed_tasks(project) x)
        and t.status = 'in_progress' and app.task_passes(t, filters, actor)
        and (not v_gated or app.unmet_gates(t, project.rules, 'claim', null) = '{}')
      order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number
      limit 1 for no key update of t skip locked;
  end if;
  if v_ready.id is null
      or (app.priority_rank(v_lapsed.priority), app.rank_order(v_lapsed.rank), v_lapsed.number)
        < (app.priority_rank(v_ready.priority), app.rank_order(v_ready.rank), v_ready.number) then
    return v_lapsed.id;
  end if;
  return v_ready.id;
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.nothing_ready(project public.projects, filters jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_counts jsonb := app.project_brief(project) -> 'tasks';
  v_next timestamptz;
begin
  select min(l.expires_at) into v_next from public.leases l
    where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id;
  return jsonb_strip_nulls(jsonb_build_object(
    'task', null,
    'project', project.slug,
    'counts', v_counts,
    'next_expiry', v_next,
    'hint', case
      when filters <> '{}' and (v_counts ->> 'ready')::integer > 0
        then 'Other tasks are ready: claim without the filters.'
      when (v_counts ->> 'ready')::integer > 0
        then 'A rule of the project holds back what is ready: claim one by its ref to see what it needs.'
      when (v_counts ->> 'in_progress')::integer > 0
        then 'All that is ready is held. Wait with wait_for_events, or plan more with create_tasks.'
      when (v_counts ->> 'blocked')::integer > 0
        then 'What is left is blocked: list_tasks with status blocked shows why.'
      when (v_counts ->> 'pending')::integer > 0
        then 'Pending tasks wait for others: list_tasks with status pending shows for which.'
      else 'Nothing is left to do. Save a checkpoint, or plan more with create_tasks.' end));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.own_locks(project public.projects, actor app.actor, is_named boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_name text := app.actor_name(actor);
  v_process uuid := app.current_process();
begin
  return (
    select jsonb_agg(app.task_brief(o.task) || case when (is_named and o.is_same or o.is_earlier) and o.is_live
        then jsonb_build_object('lock_token', (o.task).lock_token) else '{}' end order by (o.task).locked_at)
    from (
      select t.task, l.expires_at > app.now() as is_live, e.is_earlier, l.process = v_process as is_same
      from public.leases l
        cross join lateral (
          select x as task from public.tasks x
          where x.tenant_id = l.tenant_id and x.id = l.id and x.lock_token = l.token
            and x.status = 'in_progress' and x.locked_by_user = actor.user_id
            and (x.locked_by = v_name or starts_with(x.locked_by, v_name || '/')) offset 0) t
        cross join lateral (
          select v_process is null or l.process is distinct from v_process
            and not app.may_be_present(l.tenant_id, actor.user_id, l.process) as is_earlier) e
      where l.tenant_id = project.tenant_id and l.kind = 'task' and l.project_id = project.id
        and ((t.task).locked_by = v_name or not is_named and e.is_earlier)
      order by (t.task).locked_at limit 10) o);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.ready_tasks(project public.projects, filters jsonb, actor app.actor, after jsonb, size integer)
 RETURNS SETOF public.tasks
 LANGUAGE sql
 STABLE
AS $function$
  select * from (
    (select t.* from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id
        and t.status = 'pending' and t.open_dependencies = 0 and t.open_parts = 0
        and app.task_passes(t, filters, actor)
        and (after is null or (app.priority_rank(t.priority), app.rank_order(t.rank), t.number)
          > ((after ->> 'rank')::smallint, app.rank_order((after ->> 'place')::double precision),
            (after ->> 'number')::integer))
      order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit size)
    union all
    (select t.* from app.lapsed_tasks(project) t
      where app.task_passes(t, filters, actor)
        and (after is null or (app.priority_rank(t.priority), app.rank_order(t.rank), t.number)
          > ((after ->> 'rank')::smallint, app.rank_order((after ->> 'place')::double precision),
            (after ->> 'number')::integer)))) t
  order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit size
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.task_brief(task public.tasks)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
    'ref', task.ref, 'title', task.title, 'status', task.status, 'priority', task.priority, 'rank', task.rank,
    'labels', nullif(task.labels, '{}'),
    'ready', app.is_claimable(task, v_until),
    'locked_by', task.locked_by, 'locked_until', v_until, 'session', v_session,
    'open_dependencies', nullif(task.open_dependencies, 0), 'open_parts', nullif(task.open_parts, 0),
    'blocked_reason', left(task.blocked_reason, 300),
    'submitted', nullif(app.is_submitted(task), false),
    'warning', left(task.warning, 300), 'attempts', nullif(task.attempts, 0), 'completed_at', task.completed_at,
    'unproven', app.list_unproven(task), 'parent', v_parent));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.task_full(task public.tasks, rules jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_task jsonb := app.task_brief(task) || jsonb_strip_nulls(jsonb_build_object(
    'id', task.id, 'project', left(task.ref, length(task.ref) - length(task.number::text) - 1), 'version', task.version,
    'description', nullif(task.description, ''), 'acceptance_criteria', to_jsonb(task.acceptance_criteria),
    'dependencies', '[]'::jsonb, 'rank', task.rank,
    'constraints', nullif(task.constraints, '{}'), 'summary', task.summary,
    'scope', case when rules ? 'scope' or task.constraints <> '{}'
      then app.effective_scope(rules, task.constraints) end,
    'last_outcome', task.last_outcome, 'last_reason', task.last_reason, 'last_agent', task.last_agent,
    'approved_at', task.approved_at, 'reviewer', task.reviewer,
    'created_by', task.created_by, 'created_at', task.created_at, 'updated_at', task.updated_at));
begin
  if task.dependencies <> '{}' then
    v_task := v_task || jsonb_build_object('dependencies', (
      select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'ref', d.ref, 'title', d.title, 'status', d.status, 'unproven', app.list_unproven(d),
        'outcome', left(d.summary, 500))) order by d.number)
      from app.tasks_with(task.tenant_id, task.dependencies) d));
  end if;
  if task.discovered_from is not null then
    v_task := v_task
      || jsonb_strip_nulls(jsonb_build_object('discovered_from', (
        select d.ref from public.tasks d
        where d.tenant_id = task.tenant_id and d.id = task.discovered_from)));
  end if;
  if task.open_parts > 0 then
    v_task := v_task
      || jsonb_build_object('parts', (
        select jsonb_agg(p.ref)
        from (
          select c.ref from public.tasks c
          where c.tenant_id = task.tenant_id and c.parent_id = task.id and c.status not in ('completed', 'cancelled')
          order by c.number limit 20) p));
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
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.task_passes(task public.tasks, filters jsonb, actor app.actor)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select (not filters ? 'status' or filters -> 'status' ? task.status)
    and (not filters ? 'priority' or filters -> 'priority' ? task.priority)
    and (not filters ? 'labels' or app.has_labels(task.labels, filters -> 'labels'))
    and (not filters ? 'parent' or task.parent_id = (filters ->> 'parent')::uuid)
    and (not filters ? 'query' or position(app.fold_text(filters ->> 'query') in app.fold_text(task.title)) > 0)
    and (not coalesce((filters ->> 'mine')::boolean, false)
      or task.locked_by_user = actor.user_id and task.locked_by = app.actor_name(actor))
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION app.tasks_by_status(project public.projects, status text, size integer)
 RETURNS SETOF public.tasks
 LANGUAGE sql
 STABLE
AS $function$
  select t.* from public.tasks t
  where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = tasks_by_status.status
  order by t.number limit size
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.adopt_locks(tasks jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_process uuid := app.current_process();
  v_name text := app.actor_name(v_actor);
  v_now timestamptz := app.now();
  v_adopted text[];
begin
  if v_process is null then
    perform app.fail('invalid_input', 'actor.process is missing: it names the process that takes over the locks.', null,
      'It is a UUID.');
  elsif not coalesce(app.validate_field(tasks, 'ref[]', 100, null), false) then
    perform app.fail('invalid_input', 'tasks must be a list of at most 100 refs.', null, 'Name them: ["web-12"].');
  end if;
  with own as (
    update public.leases l
      set process = v_process, renewed_by = v_process, session_ended_at = null,
        expires_at = greatest(l.expires_at, v_now + make_interval(secs => l.ttl_seconds))
      from public.tasks t
      where l.tenant_id = v_actor.tenant_id and l.kind = 'task' and t.tenant_id = l.tenant_id and t.id = l.id
        and t.ref in (select jsonb_array_elements_text(adopt_locks.tasks)) and t.status = 'in_progress'
        and t.lock_token = l.token and t.locked_by_user = v_actor.user_id and l.expires_at > v_now
        and (t.locked_by = v_name or starts_with(t.locked_by, v_name || '/'))
        and l.process is distinct from v_process and not app.may_be_present(l.tenant_id, v_actor.user_id, l.process)
      returning t.ref)
  select array_agg(o.ref) into v_adopted from own o;
  return jsonb_build_object('adopted', to_jsonb(coalesce(v_adopted, '{}')));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.claim_task(task text DEFAULT NULL::text, project text DEFAULT NULL::text, filters jsonb DEFAULT '{}'::jsonb, ttl_seconds integer DEFAULT 3600, take_over boolean DEFAULT false, take_over_from text DEFAULT NULL::text, command jsonb DEFAULT '{}'::jsonb, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_result jsonb := app.find_idempotent_result(v_actor, command);
  v_filters jsonb;
  v_project public.projects;
  v_id uuid;
  v_events jsonb;
  v_takes_over boolean := take_over;
  v_held public.tasks;
begin
  if v_result is not null then
    return v_result;
  end if;
  perform app.check_number('ttl_seconds', ttl_seconds, 1, 86400);
  if take_over_from is not null and (task is null or take_over is not true) then
    perform app.fail('invalid_input', 'from is given without the task whose lock is taken over.',
      jsonb_build_object('field', 'from'),
      'Name the task, and pass take_over: true.');
  end if;
  if task is not null then
    v_id := app.find_task_id(task, v_actor.tenant_id);
    select p.* into v_project from public.tasks t
      join public.projects p on p.tenant_id = t.tenant_id and p.id = t.project_id
      where t.tenant_id = v_actor.tenant_id and t.id = v_id;
    if take_over_from is not null then
      select take_over and t.locked_by = take_over_from into v_takes_over from public.tasks t
        where t.tenant_id = v_actor.tenant_id and t.id = v_id for no key update;
    end if;
    if v_takes_over then
      v_held := app.held_by_own_run(v_id, v_actor);
    end if;
    if v_held.id is not null then
      return app.save_idempotent_result(v_actor, command, app.claim_briefing(jsonb_build_object(
        'state', app.task_full(v_held, v_project.rules), 'version', v_held.lock_token), v_project));
    end if;
    v_events := app.give_up_lapsed(v_project, v_id, v_actor);
  else
    v_filters := app.check_filters(filters, v_actor.tenant_id, 'priority', 'labels', 'parent', 'query');
    v_project := app.find_project(project, v_actor);
    if v_project.archived_at is not null then
      perform app.refuse_archived(v_project);
    end if;
    v_events := app.give_up_lapsed(v_project, null, v_actor);
    v_id := app.lock_next_task(v_project, v_filters, v_actor);
    if v_id is null and v_events = '[]' then
      return app.nothing_ready(v_project, v_filters);
    end if;
  end if;
  if v_id is null or task is not null and v_events <> '[]' then
    perform app.append_checked(v_events, v_actor);
    return app.save_idempotent_result(v_actor, command, app.nothing_ready(v_project, coalesce(v_filters, '{}'))
      || case when task is null then '{}' else jsonb_build_object('hint', format(
        'Task %s was given up as often as its project allows and is blocked for a person. Claim another one.',
        task)) end);
  end if;
  v_result := app.append_checked(v_events || jsonb_build_array(jsonb_build_object(
    'stream', 'task:' || v_id, 'type', 'task.claimed', 'data', jsonb_strip_nulls(jsonb_build_object(
      'ttl_seconds', ttl_seconds, 'take_over', nullif(v_takes_over, false))))), v_actor);
  return app.save_idempotent_result(v_actor, command, app.claim_briefing(v_result -> 'events' -> -1, v_project));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.extend_lock(task text, lock_token bigint, ttl_seconds integer DEFAULT 3600, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor, 'member');
  v_id uuid := app.find_task_id(task, v_actor.tenant_id);
  v_task public.tasks;
  v_event public.events;
  v_until timestamptz;
begin
  perform app.check_number('ttl_seconds', ttl_seconds, 1, 86400);
  perform app.check_number('lock_token', lock_token, 0, 9223372036854775807);
  select * into v_task from public.tasks t
    where t.tenant_id = v_actor.tenant_id and t.id = v_id for no key update;
  v_event.created_at := app.now();
  perform app.check_holder(v_task, v_event, jsonb_build_object('lock_token', lock_token),
    app.lease_expires_at(v_task), v_actor.role);
  v_until := v_event.created_at + make_interval(secs => extend_lock.ttl_seconds);
  insert into public.leases as l (tenant_id, kind, id, project_id, token, holder, ttl_seconds, expires_at)
    values (v_task.tenant_id, 'task', v_task.id, v_task.project_id, v_task.lock_token, v_task.locked_by,
      extend_lock.ttl_seconds, v_until)
    on conflict (tenant_id, kind, id) do update
      set ttl_seconds = excluded.ttl_seconds, expires_at = excluded.expires_at;
  perform app.renew_lease(v_task, v_event.created_at);
  return jsonb_build_object('ref', v_task.ref, 'lock_token', v_task.lock_token, 'locked_until', v_until);
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.get_task(task text, timeline_size integer DEFAULT 10, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_task public.tasks := app.find_task(task, v_actor.tenant_id);
begin
  perform app.check_number('timeline_size', timeline_size, 0, 100);
  return app.task_full(v_task,
    (select p.rules from public.projects p where p.tenant_id = v_task.tenant_id and p.id = v_task.project_id))
    || jsonb_build_object(
      'dependents', app.list_dependents(v_task),
      'artifacts', (
        select coalesce(jsonb_agg(app.artifact_full(a) - 'task' order by a.created_at desc), '[]')
        from (
          select * from public.artifacts x
          where x.tenant_id = v_task.tenant_id and x.task_id = v_task.id
          order by x.created_at desc limit 20) a),
      'timeline', (
        select coalesce(jsonb_agg(app.event_brief(app.upcast_event(e)) order by e.seq desc), '[]')
        from (
          select * from public.events x
          where x.tenant_id = v_task.tenant_id and x.task_id = v_task.id
          order by x.seq desc limit timeline_size) e));
end
$function$;
-- owner cairn_owner

CREATE OR REPLACE FUNCTION public.list_tasks(project text DEFAULT NULL::text, filters jsonb DEFAULT '{}'::jsonb, cursor text DEFAULT NULL::text, page_size integer DEFAULT 20, actor jsonb DEFAULT '{}'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
  v_actor app.actor := app.authenticate(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_filters jsonb := app.check_filters(filters, v_actor.tenant_id, 'status', 'priority', 'labels', 'ready', 'mine',
    'parent', 'query', 'unproven');
  v_size integer := app.page_size(page_size, 100);
  v_question text := md5(v_project.id || v_filters::text);
  v_after jsonb := app.decode_cursor(cursor, v_question);
  v_label text := app.rarest_label(v_project, v_filters);
  v_found public.tasks[];
begin
  if coalesce((v_filters ->> 'unproven')::boolean, false) then
    v_found := array(select t from public.tasks t
      where t.tenant_id = v_project.tenant_id and t.project_id = v_project.id and t.status = 'completed'
        and app.unproven_criteria(t.acceptance_criteria, t.evidence) is not null
        and not coalesce((v_filters ->> 'ready')::boolean, false)
        and app.task_passes(t, v_filters, v_actor) and t.number > coalesce((v_after ->> 'number')::integer, 0)
      order by t.number limit v_size + 1);
  elsif coalesce((v_filters ->> 'ready')::boolean, false) and v_label is not null then
    v_found := array(
      select t from app.ready_labelled(v_project, v_label, v_filters, v_actor, v_after, v_size + 1) t);
  elsif coalesce((v_filters ->> 'ready')::boolean, false) then
    v_found := array(select t from app.ready_tasks(v_project, v_filters, v_actor, v_after, v_size + 1) t);
  elsif v_label is not null then
    v_found := array(
      select t
      from app.task_labels l
      cross join lateral (
        select x.* from public.tasks x
        where x.tenant_id = l.tenant_id and x.id = l.task_id
        offset 0) t
      where l.tenant_id = v_project.tenant_id
        and l.project_id = v_project.id
        and l.label = v_label
        and l.number > coalesce((v_after ->> 'number')::integer, 0)
        and app.task_passes(t, v_filters, v_actor)
      order by l.number limit v_size + 1);
  elsif jsonb_array_length(v_filters -> 'status') = 1 or coalesce((v_filters ->> 'mine')::boolean, false) then
    v_found := array(select t from public.tasks t
      where t.tenant_id = v_project.tenant_id and t.project_id = v_project.id
        and t.status = coalesce(v_filters -> 'status' ->> 0, 'in_progress')
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
    'tasks', (select coalesce(jsonb_agg(app.task_brief(v_found[i]) order by i), '[]') from generate_series(1,
      least(v_size, cardinality(v_found))) i),
    'next_cursor', case when cardinality(v_found) > v_size then app.encode_cursor(jsonb_build_object('of', v_question,
      'rank', app.priority_rank((v_found[v_size]).priority), 'place', (v_found[v_size]).rank,
      'number', (v_found[v_size]).number)) end));
end
$function$;
-- owner cairn_owner

-- Privileges

grant execute on function public.adopt_locks(jsonb,jsonb) to authenticated;
grant execute on function public.adopt_locks(jsonb,jsonb) to cairn_server;
grant execute on function public.adopt_locks(jsonb,jsonb) to service_role;
grant execute on function public.claim_task(text,text,jsonb,integer,boolean,text,jsonb,jsonb) to authenticated;
grant execute on function public.claim_task(text,text,jsonb,integer,boolean,text,jsonb,jsonb) to cairn_server;
grant execute on function public.claim_task(text,text,jsonb,integer,boolean,text,jsonb,jsonb) to service_role;
grant execute on function public.extend_lock(text,bigint,integer,jsonb) to authenticated;
grant execute on function public.extend_lock(text,bigint,integer,jsonb) to cairn_server;
grant execute on function public.extend_lock(text,bigint,integer,jsonb) to service_role;
grant execute on function public.get_task(text,integer,jsonb) to authenticated;
grant execute on function public.get_task(text,integer,jsonb) to cairn_server;
grant execute on function public.get_task(text,integer,jsonb) to service_role;
grant execute on function public.list_tasks(text,jsonb,text,integer,jsonb) to authenticated;
grant execute on function public.list_tasks(text,jsonb,text,integer,jsonb) to cairn_server;
grant execute on function public.list_tasks(text,jsonb,text,integer,jsonb) to service_role;
