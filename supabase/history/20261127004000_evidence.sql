-- Done means shown: completion needs evidence by default, and a task that was completed without it is unproven everywhere.

-- Recorded with the completion, for the timeline: the criteria that nothing was given for.
alter table app.event_fields no force row level security;
insert into app.event_fields (event_type, field, kind, required, size_max, by_door)
  values ('task.completed', 'unproven', 'array', false, 400, true);
alter table app.event_fields force row level security;

-- The numbers of the criteria that no evidence answers; null where there is none. An index calls it.
create function app.unproven_criteria(criteria text[], evidence jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_answered jsonb[];
begin
  if cardinality(criteria) = 0 then
    return null;
  end if;
  v_answered := array(
    select e.value -> 'criterion' from jsonb_array_elements(evidence) e
    where jsonb_typeof(e.value) = 'object' and e.value ? 'criterion'
      and (e.value ? 'artifact' or e.value ->> 'note' ~ '\S'));
  return (
    select jsonb_agg(c.at order by c.at) from generate_series(1, cardinality(criteria)) c (at)
    where to_jsonb(c.at) <> all (v_answered));
end
$$;

create index idx_tasks_unproven on public.tasks (tenant_id, project_id, number)
  where status = 'completed' and app.unproven_criteria(acceptance_criteria, evidence) is not null;

-- What a completed task leaves unproven; null for every other task.
create function app.unproven(task public.tasks)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if task.status = 'completed' then
    return app.unproven_criteria(task.acceptance_criteria, task.evidence);
  end if;
  return null;
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
    'ready', task.status = 'pending' and task.open_dependencies = 0
      or task.status = 'in_progress' and v_until <= app.now(),
    'locked_by', task.locked_by, 'locked_until', v_until, 'session', v_session,
    'open_dependencies', nullif(task.open_dependencies, 0), 'blocked_reason', left(task.blocked_reason, 300),
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
begin
  select * into v_counts from app.task_counts c where c.tenant_id = project.tenant_id and c.project_id = project.id;
  if v_counts.completed > 0 then
    select count(*) into v_unproven from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id and t.status = 'completed'
        and app.unproven_criteria(t.acceptance_criteria, t.evidence) is not null;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'id', project.id, 'slug', project.slug, 'name', project.name, 'description', nullif(project.description, ''),
    'archived_at', project.archived_at, 'updated_at', project.updated_at,
    'tasks', jsonb_build_object('pending', coalesce(v_counts.pending, 0), 'ready', coalesce(v_counts.ready, 0),
      'in_progress', coalesce(v_counts.in_progress, 0), 'blocked', coalesce(v_counts.blocked, 0),
      'completed', coalesce(v_counts.completed, 0), 'cancelled', coalesce(v_counts.cancelled, 0),
      'unproven', nullif(v_unproven, 0))));
end
$$;

create or replace function app.prepare_task(task public.tasks, event public.events, project public.projects)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
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
    when 'task.completed' then
      v_payload := v_payload || jsonb_strip_nulls(jsonb_build_object('lock_token', task.lock_token,
        'unproven', app.unproven(app.evolve_task(task, event))));
    else
  end case;
  return v_payload;
end
$$;

create or replace function app.event_text(event public.events)
  returns text
  language sql
  stable
as $$
  select left(replace(split_part(event.event_type, '.', 2), '_', ' ')
    || coalesce(' ' || (event.payload ->> 'outcome'), '')
    || coalesce(' [' || (event.payload ->> 'kind') || ']', '')
    || coalesce(' ' || (event.payload ->> 'type'), '')
    || case when event.payload ? 'unproven' then ', unproven '
      || trim(both '[]' from jsonb_path_query_array(event.payload, '$.unproven[*] ? (@.type() == "number")')::text)
      else '' end
    || coalesce(': ' || to_json(regexp_replace(left(coalesce(event.payload ->> 'title', event.payload ->> 'text', event.payload ->> 'reason',
         event.payload ->> 'summary', event.payload ->> 'label', event.payload ->> 'name', event.payload ->> 'note', event.payload ->> 'topic'), 400),
         '\s+', ' ', 'g')), ''), 600)
$$;

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

create or replace function app.check_filters(filters jsonb, tenant_id uuid, variadic allowed text[])
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text;
begin
  filters := jsonb_strip_nulls(coalesce(filters, '{}'));
  if jsonb_typeof(filters) <> 'object' then
    perform app.fail('invalid_input', 'filters is an object.', jsonb_build_object('field', 'filters'),
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
    where not app.fits(f.value,
      case when f.key in ('parent', 'query') then 'text'
        when f.key in ('ready', 'mine', 'unproven', 'include_data') then 'boolean' else 'text[]' end, 200, null)
    limit 1;
  if found then
    perform app.fail('invalid_input', format('The filter %s is not valid: allowed is %s.', v_key,
      case when v_key in ('parent', 'query') then 'a text of at most 200 characters'
        when v_key in ('ready', 'mine', 'unproven', 'include_data') then 'true or false' else 'a list of at most 200 texts' end),
      jsonb_build_object('field', v_key), 'Leave it out, or pass what is allowed.');
  end if;
  if filters ? 'parent' then
    filters := jsonb_set(filters, '{parent}', to_jsonb(app.find_task_id(filters ->> 'parent', tenant_id)));
  end if;
  return filters;
end
$$;

create or replace function public.get_state(project text default null, seq bigint default null,
    at timestamptz default null, archived jsonb default null, actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_actor app.actor := app.enter(actor);
  v_project public.projects := app.find_project(project, v_actor);
  v_seq bigint := coalesce(seq, case when at is not null then (
    select coalesce(max(e.seq), 0) from public.events e
    where e.tenant_id = v_actor.tenant_id and e.project_id = v_project.id and e.created_at <= get_state.at)
    else (select p.seq from app.positions p where p.tenant_id = v_actor.tenant_id) end);
  v_archived_to bigint := (select p.archived_to from app.positions p where p.tenant_id = v_actor.tenant_id);
  v_state jsonb;
begin
  if archived is not null then
    v_seq := coalesce(seq, (select max(a.seq) from app.read_events_given('archived', archived) a), 0);
  elsif v_seq < v_archived_to then
    return jsonb_build_object('archive', jsonb_build_object('project_id', v_project.id, 'after', 0,
      'before', coalesce(seq, v_archived_to) + 1, 'at', at, 'rising', true));
  end if;
  v_state := (select f.state from app.state_of('project', v_actor.tenant_id, v_project.id, v_seq, archived) f);
  if v_state is null then
    perform app.fail('not_found', format('The project %s did not exist then.', v_project.slug), null,
      'Its timeline (list_events) shows its first position.');
  end if;
  return (
    with tasks as materialized (
      select f.state as t from app.state_of('task', v_actor.tenant_id, v_project.id, v_seq, archived) f)
    select jsonb_build_object('project', jsonb_strip_nulls(jsonb_build_object(
        'slug', v_state -> 'slug', 'name', v_state -> 'name', 'description', nullif(v_state ->> 'description', ''),
        'rules', v_state -> 'rules', 'archived_at', v_state -> 'archived_at')),
      'position', v_seq, 'total', (select count(*) from tasks),
      'counts', (
        select coalesce(jsonb_object_agg(c.status, c.n), '{}')
        from (select x.t ->> 'status' as status, count(*) as n from tasks x group by 1) c),
      'tasks', (
        select coalesce(jsonb_agg(o.brief order by o.number), '[]')
        from (
          select (x.t ->> 'number')::integer as number, jsonb_strip_nulls(jsonb_build_object('ref', x.t -> 'ref',
            'title', x.t -> 'title', 'status', x.t -> 'status', 'priority', x.t -> 'priority',
            'locked_by', x.t -> 'locked_by', 'blocked_reason', x.t -> 'blocked_reason',
            'unproven', app.unproven(jsonb_populate_record(null::public.tasks, x.t)))) as brief
          from tasks x order by 1 limit 200) o)));
end
$$;

create function app.evidence_of(tier text) returns text language sql immutable as $$
  select case tier when 'reported' then 'a note or an artifact' when 'observed' then 'a diff, pr or test_report'
    else 'an artifact that ci added' end
$$;

-- A claim tells once that every criterion is to be answered: the briefing lists them already.
create or replace function app.unmet_gates(task public.tasks, rules jsonb, move text, event public.events)
  returns text[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
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
      || case when not v_require ? 'evidence' or task.acceptance_criteria = '{}' then '{}'
           when event.event_type is null then array[format('%s evidence (%s) for each criterion',
             v_require ->> 'evidence', app.evidence_of(v_require ->> 'evidence'))]
           else app.missing_evidence(task, v_require ->> 'evidence', event.payload -> 'evidence') end
      || case when v_require ? 'decision' and not exists (select from public.decisions d where d.tenant_id = task.tenant_id and d.task_id = task.id)
           then array['a decision for this task (record_decision with task)'] else '{}' end
      || case when v_require ? 'approval' and task.approved_at is null then array[format('approval by a person (cairn approve %s)', task.ref)] else '{}' end
      || case when v_require ? 'clean_scope' and not app.is_scope_clean(task, rules)
           then array['a diff artifact naming its files, all in scope (add_artifact type diff, files)'] else '{}' end;
  end loop;
  return v_missing;
end
$$;

create or replace function app.missing_evidence(task public.tasks, tier text, evidence jsonb)
  returns text[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(array_agg(format('%s evidence (%s) for criterion %s: "%s"%s', tier,
        app.evidence_of(tier), c.at, left(c.text, 120),
        case when best.stale then ' (what there is, is older than the last diff)' else '' end) order by c.at), '{}')
    from unnest(task.acceptance_criteria) with ordinality c (text, at)
    left join lateral (
      select bool_and(g.stale) as stale, max(app.tier_rank(g.tier)) filter (where not g.stale) as rank
      from app.graded_evidence(task, coalesce(evidence, '[]')) g where g.criterion = c.at) best on true
    where coalesce(best.rank, 0) < app.tier_rank(tier));
end
$$;

-- How the call has to answer the criteria, where a gate on completion misses evidence; null where none does.
create function app.evidence_wanted(task public.tasks, rules jsonb, event public.events)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_rank integer := (
    select max(app.tier_rank(g -> 'require' ->> 'evidence')) from jsonb_array_elements(rules -> 'gates') g
    where g ->> 'on' = 'complete' and g -> 'require' ? 'evidence'
      and app.meets(g -> 'when', event.payload, task.priority)
      and app.missing_evidence(task, g -> 'require' ->> 'evidence', event.payload -> 'evidence') <> '{}');
  v_most integer := least(cardinality(task.acceptance_criteria), 10);
begin
  if v_rank is null then
    return null;
  end if;
  return (
    select '[' || string_agg(format('{"criterion": %s, %s}', c.at,
      case v_rank when 1 then '"note": "what shows it"' else '"artifact": "id from add_artifact"' end), ', ' order by c.at)
      || case when v_most < cardinality(task.acceptance_criteria) then ', and so on' else '' end || ']'
    from generate_series(1, v_most) c (at));
end
$$;

create or replace function app.check_gates(task public.tasks, rules jsonb, move text, event public.events)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_missing text[] := app.unmet_gates(task, rules, move, event);
begin
  if cardinality(v_missing) > 0 then
    perform app.fail('gate_unmet', format('Task %s cannot %s yet. Missing: %s.', task.ref, move, array_to_string(v_missing, '; ')),
      jsonb_build_object('missing', v_missing), 'Provide what is missing, then repeat the call'
        || coalesce(' with evidence: ' || case move when 'complete' then app.evidence_wanted(task, rules, event) end, '') || '.');
  end if;
end
$$;

create or replace function app.check_evidence(task public.tasks, evidence jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
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
    if not (coalesce(v_item ->> 'note', '') ~ '\S' or v_item ? 'artifact') or v_item ? 'note' and not app.fits(v_item -> 'note', 'text', 4000, null) then
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

-- The rules that a new project begins with: whoever names no gates gets this one.
create function app.with_default_gates(rules jsonb)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return '{"gates": [{"on": "complete", "require": {"evidence": "reported"}}]}' || coalesce(rules, '{}');
end
$$;

create or replace function app.apply_project(event public.events, expect jsonb, actor app.actor)
  returns app.applied
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_project public.projects;
begin
  if event.event_type = 'project.created' then
    perform app.refuse_limited(actor);
    event.payload := event.payload || jsonb_build_object('rules', app.with_default_gates(event.payload -> 'rules'));
  end if;
  select * into v_project from public.projects p
    where p.tenant_id = event.tenant_id and p.id = app.stream_id(event.stream) for no key update;
  event.project_id := app.stream_id(event.stream);
  event.version := app.next_version(v_project.version, expect, 'project');
  event.payload := app.resolve_answer(event);
  perform app.guard_project(v_project, event);
  v_project := app.evolve_project(v_project, event);
  perform app.write_project(v_project);
  if event.event_type = 'project.created' then
    insert into app.task_counts (tenant_id, project_id) values (event.tenant_id, event.project_id);
  end if;
  perform app.index_project(v_project);
  return (event, app.project_brief(v_project) || jsonb_build_object('rules', v_project.rules, 'version', v_project.version), null)::app.applied;
end
$$;

select app.secure_functions();
