-- Tasks carry labels, and a rank among those of one priority. The next task is by priority, rank and number.

alter table public.tasks
  add column labels text[] default '{}' not null check (cardinality(labels) <= 20),
  add column rank double precision check (rank > '-infinity' and rank < 'infinity');

-- What orders the tasks of one priority: those without a rank come last. The index of the next task calls it.
create function app.rank_order(rank double precision) returns double precision language sql immutable
  return coalesce(rank, 'infinity');

drop index public.idx_tasks_ready;
create index idx_tasks_ready
  on public.tasks (tenant_id, project_id, app.priority_rank(priority), app.rank_order(rank), number)
  where status = 'pending' and open_dependencies = 0 and open_parts = 0;

alter table app.event_fields no force row level security;
alter table app.event_fields drop constraint event_fields_kind_check;
alter table app.event_fields add constraint event_fields_kind_check check (kind in (
  'text', 'line', 'ref', 'ref[]', 'text[]', 'label[]', 'integer', 'number', 'boolean', 'object', 'array', 'one_of'));
insert into app.event_fields (event_type, field, kind, required, size_max) values
  ('task.created', 'labels', 'label[]', false, 20),
  ('task.created', 'rank', 'number', false, null),
  ('task.updated', 'labels', 'label[]', false, 20),
  ('task.updated', 'rank', 'number', false, null);
alter table app.event_fields force row level security;

-- A label as it is compared: without case.
create function app.fold_label(label text) returns text language sql immutable
  return app.lower_case(normalize(label, nfc));

-- Each label once, as it was written first.
create function app.merge_labels(labels text[]) returns text[] language sql immutable
  return array(
    select l.label from unnest(labels) with ordinality l (label, at)
    where not exists (
      select from unnest(labels) with ordinality e (label, at)
      where e.at < l.at and app.fold_label(e.label) = app.fold_label(l.label))
    order by l.at);

-- Whether all of the wanted labels are there.
create function app.has_labels(labels text[], wanted jsonb) returns boolean language sql immutable
  return array(select app.fold_label(l) from unnest(labels) l)
    @> array(select app.fold_label(w) from jsonb_array_elements_text(wanted) w);

create or replace function app.fits(value jsonb, kind text, size_max integer, one_of text[])
  returns boolean
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_type text := jsonb_typeof(value);
  v_text text := case when v_type in ('string', 'number') then value #>> '{}' end;
begin
  case kind
    when 'text' then return v_type = 'string' and char_length(v_text) <= size_max and app.is_clean(v_text);
    when 'line' then
      return v_type = 'string' and char_length(v_text) <= size_max
        and v_text ~ '\S' and v_text !~ '[\n\t]' and app.is_clean(v_text);
    when 'one_of' then return v_type = 'string' and v_text = any (one_of);
    when 'ref' then return v_type = 'string' and char_length(v_text) between 1 and size_max;
    when 'integer' then return v_type = 'number' and v_text ~ '^[0-9]{1,9}$' and v_text::integer <= size_max;
    when 'number' then
      -- What no double precision holds, or holds as zero, is refused.
      return v_type = 'number' and abs(v_text::numeric) <= 1e15
        and (v_text::numeric = 0 or abs(v_text::numeric) >= 1e-15);
    when 'boolean' then return v_type = 'boolean';
    when 'object', 'array' then
      return v_type = kind and octet_length(value::text) <= size_max and app.is_clean_json(value);
    when 'label[]' then
      return v_type = 'array' and jsonb_array_length(value) <= size_max and not exists (
        select from jsonb_array_elements(value) item
        where jsonb_typeof(item) <> 'string' or app.clean_name(item #>> '{}', 50) is distinct from item #>> '{}');
    else
      return v_type = 'array' and jsonb_array_length(value) <= size_max and not exists (
        select from jsonb_array_elements(value) item
        where jsonb_typeof(item) <> 'string'
          or item #>> '{}' !~ '\S'
          or char_length(item #>> '{}') > case kind when 'ref[]' then 80 else 1000 end
          or not app.is_clean(item #>> '{}'));
  end case;
end
$$;

create or replace function app.check_data(event_type text, data jsonb, path text default '',
    recorded boolean default false)
  returns app.event_types
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_type app.event_types;
  v_missing text;
  v_field record;
begin
  select * into v_type from app.event_types t where t.event_type = check_data.event_type;
  if not found then
    perform app.fail('invalid_input', format('There is no event type %s.', left(event_type, 80)));
  elsif not data ?& v_type.required then
    select r into v_missing from unnest(v_type.required) r
      where not data ? r and not (recorded and r = 'project') limit 1;
    if found then
      perform app.fail('invalid_input', format('%s needs the field %s.', event_type, v_missing),
        jsonb_build_object('field', path || v_missing));
    end if;
  end if;
  select d.key, f.* into v_field from jsonb_each(data) d
    left join app.event_fields f
      on f.event_type = check_data.event_type and f.field = d.key and (recorded or not f.by_door)
    where f.field is null
      or not app.fits(d.value, f.kind,
          case when recorded and f.kind = 'object' then 2 * f.size_max else f.size_max end, f.one_of)
        and not (d.value = 'null' and f.kind in ('ref', 'number') and not f.required)
      or recorded and f.kind in ('ref', 'ref[]') and f.field not in ('slug', 'ref') and not app.are_ids(d.value)
    limit 1;
  if not found then
    return v_type;
  elsif v_field.field is null then
    perform app.fail('invalid_input', format('%s has no field %s.', event_type, left(v_field.key, 80)),
      jsonb_build_object('field', path || left(v_field.key, 200)));
  end if;
  perform app.fail('invalid_input', format('%s of %s is not valid: allowed is %s.', v_field.field, event_type,
    case v_field.kind when 'one_of' then 'one of ' || array_to_string(v_field.one_of, ', ')
      when 'line' then 'one line of 1 to ' || v_field.size_max || ' characters without control characters'
      when 'text' then 'text of at most ' || v_field.size_max || ' characters without control characters'
      when 'integer' then 'a whole number from 0 to ' || v_field.size_max
      when 'number' then 'zero, or a number from 10^-15 to 10^15 on either side of it'
      when 'label[]' then
        'a list of at most ' || v_field.size_max || ' labels, each one line of 1 to 50 characters that can be seen'
      when 'object' then
        'an object of at most ' || v_field.size_max || ' bytes and 32 levels, without control characters'
      when 'array' then
        'a list of at most ' || v_field.size_max || ' bytes and 32 levels, without control characters'
      else v_field.kind || coalesce(' of size at most ' || v_field.size_max, '') end),
    jsonb_build_object('field', path || v_field.field));
end
$$;

create or replace function app.blanked(event public.events)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select event.payload || coalesce(jsonb_object_agg(f.field, case
      when f.kind = 'object' then '{}' when f.kind = 'array' then '[]'
      when f.kind in ('text[]', 'label[]') then (
        select coalesce(jsonb_agg('[redacted]'::text), '[]')
        from jsonb_path_query(event.payload -> f.field, 'strict $ ? (@.type() == "array")[*]'))
      else '"[redacted]"' end), '{}')
  from app.event_fields f
  where f.event_type = event.event_type and event.payload ? f.field
    and f.kind in ('text', 'line', 'text[]', 'label[]', 'object', 'array')
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
  v_task.labels := '{}';
  v_task.dependencies := '{}';
  -- As the plan is made. Which are completed is no matter of this stream: see count_open_dependencies.
  v_task.open_dependencies := coalesce(jsonb_array_length(event.payload -> 'dependencies'), 0);
  v_task.open_parts := 0;
  v_task.attempts := 0;
  v_task.evidence := '[]';
  return app.evolve_task_text(v_task, event.payload);
end
$$;

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
  if payload ? 'labels' then
    task.labels := app.merge_labels(task.labels);
  end if;
  return task;
end
$$;

-- A snapshot that was taken before tasks had labels has none.
create or replace function app.fold_step(state public.tasks, event public.events)
  returns public.tasks
  language plpgsql
  immutable
as $$
begin
  if event.event_type = 'archive.snapshot' then
    return jsonb_populate_record(null::public.tasks, '{"labels": []}' || event.payload);
  end if;
  return app.evolve_task(state, event);
end
$$;

create or replace function app.differing_tasks(tenant_id uuid, streams text[])
  returns table(id uuid, live public.tasks, log public.tasks)
  language sql
  stable
as $$
  select coalesce(l.id, f.id), l.live, f.state from app.folded_tasks($1, null, null, $2) f
    full join (select x as live, x.* from public.tasks x where x.tenant_id = $1
      and ($2 is null or 'task:' || x.id = any ($2))) l on l.id = f.id
  where (l.tenant_id, l.id, l.project_id, l.user_id, l.created_by, l.number, l.ref, l.title, l.description,
    l.acceptance_criteria, l.constraints, l.dependencies, l.parent_id, l.discovered_from, l.status,
    l.priority, l.blocked_reason, l.blocked_by, l.warning, l.locked_at, l.locked_by, l.locked_by_user,
    l.lock_token, l.attempts, l.last_outcome, l.last_reason, l.last_agent, l.summary, l.evidence,
    l.approved_at, l.completed_at, l.version, l.created_at, l.updated_at, l.labels, l.rank)
    is distinct from ((f.state).tenant_id, (f.state).id, (f.state).project_id, (f.state).user_id, (f.state).created_by,
    (f.state).number, (f.state).ref, (f.state).title, (f.state).description, (f.state).acceptance_criteria,
    (f.state).constraints, (f.state).dependencies, (f.state).parent_id, (f.state).discovered_from,
    (f.state).status, (f.state).priority, (f.state).blocked_reason, (f.state).blocked_by, (f.state).warning,
    (f.state).locked_at, (f.state).locked_by, (f.state).locked_by_user, (f.state).lock_token,
    (f.state).attempts, (f.state).last_outcome, (f.state).last_reason, (f.state).last_agent,
    (f.state).summary, (f.state).evidence, (f.state).approved_at, (f.state).completed_at, (f.state).version,
    (f.state).created_at, (f.state).updated_at, (f.state).labels, (f.state).rank)
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
      completed_at, version, updated_at)
    = (task.title, task.description, task.acceptance_criteria, task.constraints, task.dependencies, task.parent_id,
      task.status, task.priority, task.labels, task.rank, task.open_dependencies, task.blocked_reason, task.blocked_by,
      task.warning, task.locked_at, task.locked_by, task.locked_by_user, task.lock_token, task.attempts,
      task.last_outcome, task.last_reason, task.last_agent, task.summary, task.evidence, task.approved_at,
      task.completed_at, task.version, task.updated_at)
    where t.tenant_id = task.tenant_id and t.id = task.id;
end
$$;

create or replace function app.guard_task(task public.tasks, event public.events, expect jsonb,
    project public.projects, role text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
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
        or event.event_type = 'task.updated' and event.payload - '{priority,labels,rank}'::text[] <> '{}' then
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
      case event.event_type when 'task.completed' then 'complete' when 'task.cancelled' then 'cancel' else 'reopen' end,
      event);
  end if;
  if event.payload ? 'constraints' then
    perform app.check_constraints(event.payload -> 'constraints', project.rules);
  end if;
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
    'labels', nullif(task.labels, '{}'),
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
    'dependencies', '[]'::jsonb, 'rank', task.rank,
    'constraints', nullif(task.constraints, '{}'), 'summary', task.summary,
    'scope', case when rules ? 'scope' or task.constraints <> '{}'
      then app.effective_scope(rules, task.constraints) end,
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

create or replace function app.task_text(task public.tasks)
  returns text
  language sql
  stable
as $$
  select concat_ws(' ', task.ref, task.title, task.description, array_to_string(task.acceptance_criteria, ' '),
    array_to_string(task.labels, ' '))
$$;

create or replace function app.found_document(kind text, tenant_id uuid, id uuid)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  case kind
    when 'task' then return (
      select jsonb_strip_nulls(jsonb_build_object('ref', t.ref, 'title', t.title, 'at', t.updated_at,
        'by', t.created_by, 'unproven', app.unproven(t),
        'body', concat_ws(' ', t.title, t.description, array_to_string(t.acceptance_criteria, ' '),
          array_to_string(t.labels, ' '))))
      from public.tasks t where t.tenant_id = found_document.tenant_id and t.id = found_document.id);
    when 'project' then return (select jsonb_build_object('ref', p.slug, 'title', p.name, 'at', p.updated_at,
      'body', concat_ws(' ', p.name, p.description))
      from public.projects p where p.tenant_id = found_document.tenant_id and p.id = found_document.id);
    when 'decision' then return (select jsonb_build_object('title', d.title, 'at', d.created_at, 'by', d.decided_by,
      'body', concat_ws(' ', d.title, d.choice, d.rationale))
      from public.decisions d where d.tenant_id = found_document.tenant_id and d.id = found_document.id);
    when 'checkpoint' then return (select jsonb_build_object('title', c.label, 'at', c.created_at, 'by', c.saved_by,
      'body', concat_ws(' ', c.label, c.summary, c.resume_instructions))
      from public.checkpoints c where c.tenant_id = found_document.tenant_id and c.id = found_document.id);
    when 'artifact' then return (select jsonb_build_object('ref', t.ref, 'title', a.type || ' ' || a.ref, 'at',
      a.created_at, 'by', a.added_by, 'body', concat_ws(' ', a.ref, a.summary))
      from public.artifacts a join public.tasks t on t.tenant_id = a.tenant_id and t.id = a.task_id
        where a.tenant_id = found_document.tenant_id and a.id = found_document.id);
    else return (select jsonb_build_object('ref', t.ref, 'title', e.event_type || ' #' || e.seq, 'at', e.created_at,
      'by', app.by(e), 'body', app.searchable_text(e))
      from public.events e left join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id
        where e.tenant_id = found_document.tenant_id and e.id = found_document.id);
  end case;
end
$$;

create or replace function app.task_passes(task public.tasks, filters jsonb, actor app.actor)
  returns boolean
  language sql
  stable
as $$
  select (not filters ? 'status' or filters -> 'status' ? task.status)
    and (not filters ? 'priority' or filters -> 'priority' ? task.priority)
    and (not filters ? 'labels' or app.has_labels(task.labels, filters -> 'labels'))
    and (not filters ? 'parent' or task.parent_id = (filters ->> 'parent')::uuid)
    and (not filters ? 'query' or position(app.fold(filters ->> 'query') in app.fold(task.title)) > 0)
    and (not coalesce((filters ->> 'mine')::boolean, false)
      or task.locked_by_user = actor.user_id and task.locked_by = app.actor_name(actor))
$$;

create or replace function app.decode_cursor(cursor text, question text)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_position jsonb;
begin
  if cursor is null or cursor = '' then
    return null;
  end if;
  begin
    v_position := convert_from(decode(
      rpad(translate(cursor, '-_', '+/'), (4 * ceil(length(cursor) / 4.0))::integer, '='), 'base64'), 'UTF8')::jsonb;
    perform (v_position ->> 'at')::timestamptz, (v_position ->> 'id')::uuid, (v_position ->> 'rank')::smallint,
      (v_position ->> 'place')::double precision,
      (v_position ->> 'number')::integer, (v_position ->> 'seq')::bigint;
    if (v_position ->> 'from')::integer < 0 then
      v_position := null;
    end if;
  exception
    when others then v_position := null;
  end;
  if v_position ->> 'of' is distinct from question then
    perform app.fail('invalid_input', 'The cursor is not valid for this list.', jsonb_build_object('field', 'cursor'),
      'Pass the next_cursor of the page before, with the same filters, or none to start again.');
  end if;
  return v_position;
end
$$;

create or replace function app.ready_tasks(project public.projects, filters jsonb, actor app.actor, after jsonb,
    size integer)
  returns setof public.tasks
  language sql
  stable
as $$
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
      where t.tenant_id = project.tenant_id and t.project_id = project.id
        and t.status = 'pending' and t.open_dependencies = 0 and t.open_parts = 0
      order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit 1 for no key update skip locked;
  else
    select * into v_ready from public.tasks t
      where t.tenant_id = project.tenant_id and t.project_id = project.id
        and t.status = 'pending' and t.open_dependencies = 0 and t.open_parts = 0
        and app.task_passes(t, filters, actor)
        and (not v_gated or app.unmet_gates(t, project.rules, 'claim', null) = '{}')
      order by app.priority_rank(t.priority), app.rank_order(t.rank), t.number limit 1 for no key update skip locked;
  end if;
  if exists (select from public.task_leases l
      where l.tenant_id = project.tenant_id and l.project_id = project.id and l.expires_at <= app.now()) then
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
$$;

-- claim_task(task?, project?, filters?, ttl_seconds, take_over, take_over_from?) -> the task with its lock_token, or
-- why there is none. Without `task` it takes the first ready one by priority, rank and number; `filters` are priority,
-- labels (all of them), parent and query.
create or replace function public.claim_task(task text default null, project text default null,
    filters jsonb default '{}', ttl_seconds integer default 3600, take_over boolean default false,
    take_over_from text default null, command jsonb default '{}', actor jsonb default '{}')
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
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
  v_takes_over boolean := take_over;
begin
  if v_result is not null then
    return v_result;
  end if;
  perform app.check_number('ttl_seconds', ttl_seconds, 1, 86400);
  if take_over_from is not null and (task is null or take_over is not true) then
    perform app.fail('invalid_input', 'from says whose lock is taken over.', jsonb_build_object('field', 'from'),
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
    perform app.append(v_events, v_actor);
    return app.remember(v_actor, command, app.nothing_ready(v_project, coalesce(v_filters, '{}'))
      || case when task is null then '{}' else jsonb_build_object('hint', format(
        'Task %s was given up as often as its project allows and is blocked for a person. Claim another one.',
        task)) end);
  end if;
  v_result := app.append(v_events || jsonb_build_array(jsonb_build_object(
    'stream', 'task:' || v_id, 'type', 'task.claimed', 'data', jsonb_strip_nulls(jsonb_build_object(
      'ttl_seconds', ttl_seconds, 'take_over', nullif(v_takes_over, false))))), v_actor);
  return app.remember(v_actor, command, app.claim_briefing(v_result -> 'events' -> -1, v_project));
end
$$;

-- list_tasks(project?, filters?, cursor?, page_size) -> {project, counts, tasks, next_cursor?}. With `ready` in the
-- order in which they would be claimed, otherwise by number.
create or replace function public.list_tasks(project text default null, filters jsonb default '{}',
    cursor text default null, page_size integer default 20, actor jsonb default '{}')
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
  v_filters jsonb := app.check_filters(filters, v_actor.tenant_id, 'status', 'priority', 'labels', 'ready', 'mine',
    'parent', 'query', 'unproven');
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
$$;

-- get_state(project?, seq?, at?) -> {project, position, counts, tasks, total}, or the archive that it needs.
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
            'labels', nullif(x.t -> 'labels', '[]'),
            'locked_by', x.t -> 'locked_by', 'blocked_reason', x.t -> 'blocked_reason',
            'unproven', app.unproven(jsonb_populate_record(null::public.tasks, x.t)))) as brief
          from tasks x order by 1 limit 200) o)));
end
$$;

select app.secure_functions();
